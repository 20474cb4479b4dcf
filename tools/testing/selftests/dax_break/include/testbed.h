/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where tests make their files: a mounted DAX filesystem of every kind that was asked
 * for, on persistent memory of its own, which is gone when the test program has ended.
 */
#ifndef DAX_BREAK_TESTBED_H
#define DAX_BREAK_TESTBED_H

#include "filesystem.h"

/*
 * Call from main(). If there is no testbed, starts the program anew by way of with_pmem,
 * which makes one: then this does not return, and the exit status is that of the new
 * start. Else returns why not.
 */
int testbed_setup(char **argv);

/*
 * Of filesystem @fs: a directory whose files are DAX, one whose files are not, and where
 * it is mounted. NULL if @fs was not asked for, if files that are not DAX cannot be had
 * (-o dax=always), or if it is mounted by somebody else.
 */
const char *testbed_dir(const struct filesystem *fs);
const char *testbed_plain_dir(const struct filesystem *fs);
const char *testbed_mount(const struct filesystem *fs);
const char *testbed_device(const struct filesystem *fs);

/* -EOPNOTSUPP: @fs was not asked for. */
int testbed_require(const struct filesystem *fs);

/*
 * For tests that unmount @fs, or fill it up. -EOPNOTSUPP: somebody else has mounted it, and
 * has data there (DAX_BREAK_PMEM=DIRECTORY).
 */
int testbed_require_own(const struct filesystem *fs);

/* Unmounts @fs in a child, since umount(2) may hang. -EIO: it failed or hung. */
int testbed_unmount(const struct filesystem *fs);

/* Mounts it again if a test has unmounted it. */
int testbed_mount_again(const struct filesystem *fs);

/*
 * Returns 0 if @fs can be unmounted, fsck finds it clean, and free space, pinned pages and
 * PMD-mapped pages are what they were before the tests; else -EIO. -EOPNOTSUPP: there is no
 * checker, or no @fs.
 */
int aftermath_check(const struct filesystem *fs);

/* -EOPNOTSUPP unless DAX_BREAK_DESTRUCTIVE=1 lets tests crash this kernel, or hang it for good. */
int consent_to_crash(void);

#endif
