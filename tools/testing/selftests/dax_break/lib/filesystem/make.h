/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Making, mounting and checking the filesystems of the table.
 */
#ifndef DAX_BREAK_FILESYSTEM_MAKE_H
#define DAX_BREAK_FILESYSTEM_MAKE_H

#include "filesystem.h"

/*
 * Makes the filesystem on @device: a block device, a file of its size, or what source_env
 * names. Destroys what is there. -EOPNOTSUPP: mkfs is missing.
 */
int filesystem_format(const struct filesystem *fs, const char *device);

/*
 * Mounts it with -o dax=inode, where each file says for itself whether it is DAX. Turns
 * on what the kernel knows and mkfs may not.
 */
int filesystem_mount(const struct filesystem *fs, const char *device, const char *dir);

/*
 * Checks it, unmounted. 0: clean; -EIO: not, and what the checker said first in why();
 * -EOPNOTSUPP: there is no checker.
 */
int filesystem_check(const struct filesystem *fs, const char *device);

/* From now on, files created in the directory @dir are DAX. */
int filesystem_want_dax(const char *dir);

/*
 * Proves that files in @dir are really DAX: XFS mounts silently without it when
 * the device has none. STATX_ATTR_DAX must be set on a fresh file;
 * *@granularity is then how stores reach persistence, in words.
 */
int filesystem_prove_dax(const struct filesystem *fs, const char *dir,
			 const char **granularity);

#endif
