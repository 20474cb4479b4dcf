/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where tests make their files: a directory of their own in the one that DAX_BREAK_PMEM
 * names, whose files are DAX ones: ext4 or XFS mounted with -o dax=always, for instance. It
 * is gone when the test program has ended.
 */
#ifndef DAX_BREAK_TESTBED_H
#define DAX_BREAK_TESTBED_H

/* Call from main(). -EOPNOTSUPP: no directory is named. */
int testbed_setup(void);

/* The directory, whose files are DAX. */
const char *testbed_dir(void);

#endif
