/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The filesystems under test: one table, and a mounted instance of an entry.
 */
#ifndef DAX_BREAK_FILESYSTEM_H
#define DAX_BREAK_FILESYSTEM_H

#include <stdbool.h>
#include <linux/types.h>

#include "base/tool.h"

struct filesystem {
	const char *name;		/* as mount(2) wants it */
	/* Bytes to carve for it. 0: it is not on persistent memory of this machine. */
	__u64 namespace_size;
	/*
	 * Then, the variable of the environment that says what to mount, how to empty it,
	 * and to check it when it is not mounted, as the functions below have it.
	 */
	const char *tag;
	int (*format)(const char *tag);
	int (*check)(const char *tag);
	/* As statfs(2) tells of it. 0: a directory on one that is mounted is not used. */
	long magic;
	const char *config;		/* the kernel option that it needs */
	const char *package;		/* what holds its mkfs and fsck */
	/* mkfs command; "%P" in a word is the page size (the DAX block size) */
	const char *mkfs[TOOL_MAX_ARGS];
	/* The command that checks it, changing nothing; 0: it is clean */
	const char *fsck[TOOL_MAX_ARGS];
	/*
	 * Turns on (or off) what mkfs and fsck may not know yet, on an unmounted
	 * filesystem. Off for them, and for a kernel that does not mount it otherwise.
	 * NULL: nothing.
	 */
	int (*tune)(const char *device, bool on);
	/* fsync(2) takes the lock that an operation keeps while it waits. */
	bool fsync_locks;
	/*
	 * Of a mounted one, the file that says how much it keeps for itself, to which 0
	 * is written, so that tests can fill it; "%D" is the device's name. NULL: none.
	 */
	const char *reserve;
};

/* The table; ends with a NULL name. */
extern const struct filesystem filesystems[];

/*
 * Has it blocks on persistent memory: such that FIEMAP tells of, that a namespace can take
 * away, and that the kernel writes back?
 */
bool filesystem_on_pmem(const struct filesystem *fs);

/* NULL for an unknown @name. */
const struct filesystem *filesystem_find(const char *name);

/*
 * Makes the filesystem on @device, in a file of its size, or what goes by that tag.
 * Destroys what is there.
 * -EOPNOTSUPP: mkfs is missing.
 */
int filesystem_format(const struct filesystem *fs, const char *device);

/*
 * With -o dax=inode, where each file says for itself whether it is DAX. Turns on what
 * the kernel knows and mkfs may not.
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
 * *@granularity is then how stores reach persistence, in words (persistence.h).
 */
int filesystem_prove_dax(const struct filesystem *fs, const char *dir,
			 const char **granularity);

#endif
