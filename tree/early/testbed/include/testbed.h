/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where tests make their files: a directory of their own in the one that DAX_BREAK_PMEM
 * names, which is on a mounted DAX filesystem. It is gone when the test program has ended.
 */
#ifndef DAX_BREAK_TESTBED_H
#define DAX_BREAK_TESTBED_H

/* Call from main(). -EOPNOTSUPP: no directory is named. */
int testbed_setup(char **argv);

/* On filesystem @fs, a directory whose files are DAX. NULL if nothing on @fs is named. */
const char *testbed_dir(const struct filesystem *fs);

/*
 * A directory whose files are not DAX, and where @fs is mounted. NULL if there is none, or
 * if it is mounted by somebody else.
 */
const char *testbed_plain_dir(const struct filesystem *fs);
const char *testbed_mount(const struct filesystem *fs);

/* -EOPNOTSUPP: nothing on @fs is named. */
int testbed_require(const struct filesystem *fs);

#endif
