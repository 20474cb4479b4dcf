/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where tests make their files: a mounted DAX filesystem of every kind asked for, on
 * persistent memory of its own, which is gone when the test program has ended.
 */
#ifndef DAX_BREAK_TESTBED_H
#define DAX_BREAK_TESTBED_H

/*
 * Call from main(). If there is no testbed, the program is started anew by
 * with_pmem, which makes one (testbed_make.h): then this does not return, and the
 * exit status is that of the new start. Else returns why not.
 */
int testbed_setup(char **argv);

/*
 * Of filesystem kind @fs: a directory whose files are DAX, one whose files are not,
 * and where it is mounted. NULL if it was not asked for; or if files that are not DAX
 * cannot be had (-o dax=always), or it is not testbed_ours().
 */
const char *testbed_dir(const char *fs);
const char *testbed_plain_dir(const char *fs);
const char *testbed_mount(const char *fs);
const char *testbed_device(const char *fs);

/*
 * May it be unmounted, and filled up? 0, or -EOPNOTSUPP: somebody else has mounted it, and
 * has data there (DAX_BREAK_PMEM=DIRECTORY).
 */
int testbed_ours(const char *fs);

/* Unmounts it, in a child, because that may never end: -EIO, as if it had failed. */
int testbed_unmount(const char *fs);

/* Mounts it again if a test has unmounted it. */
int testbed_mount_again(const char *fs);

#endif
