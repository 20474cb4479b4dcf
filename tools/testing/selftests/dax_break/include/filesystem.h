/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The filesystems under test: a table, whose rows are in lib/filesystem/, a file for each.
 * Tests and operations ask what a filesystem can do, never what it is called.
 */
#ifndef DAX_BREAK_FILESYSTEM_H
#define DAX_BREAK_FILESYSTEM_H

#include <stdbool.h>
#include <linux/types.h>

/* What a filesystem can do, and what is different about it. */
enum fs_feature {
	/*
	 * It is on persistent memory of this machine: its files have blocks that FIEMAP
	 * tells of, that the kernel writes back, and that go with their namespace.
	 */
	FS_PMEM		= 1 << 0,
	FS_REFLINK	= 1 << 1,	/* files can share blocks: FICLONE and the like */
	FS_EXCHANGE	= 1 << 2,	/* files can exchange ranges: XFS_IOC_EXCHANGE_RANGE */
	FS_SWAP_EXTENTS	= 1 << 3,	/* ... or everything: XFS_IOC_SWAPEXT */
	FS_SWAP_BOOT	= 1 << 4,	/* ... with the boot loader's inode: EXT4_IOC_SWAP_BOOT */
	/* No test uses it yet; operations and cases leave such a filesystem out. */
	FS_READ_ONLY	= 1 << 5,
	/* virtiofs_server serves it, and does what tests order; it has a DAX window. */
	FS_SERVED	= 1 << 6,
	FS_MIXED_MAP	= 1 << 7,	/* its mappings are VM_MIXEDMAP: fork(2) copies them */
	FS_FSYNC_LOCKS	= 1 << 8,	/* fsync(2) takes the lock that a waiting operation has */
};

struct filesystem {
	const char *name;		/* as mount(2) wants it */
	unsigned int features;		/* enum fs_feature */
	/* With FS_PMEM: bytes of the namespace to carve for it. */
	__u64 namespace_size;
	/*
	 * Without: the variable of the environment that says what to mount, if anything,
	 * and how to empty and to check that, as filesystem_format() and
	 * filesystem_check() do (lib/filesystem/make.h).
	 */
	const char *source_env;
	int (*format)(const char *source);
	int (*check)(const char *source);
	/* f_type of statfs(2). 0: DAX_BREAK_PMEM=DIRECTORY is not supported. */
	long magic;
	const char *config;		/* the kernel option that it needs */
	const char *dax_config;		/* and the one that makes its files DAX */
	const char *package;		/* what holds its mkfs and fsck */
	/*
	 * The commands that make it, and that check it without changing anything (exit
	 * status 0: it is clean). Words, then NULL; "%P" in a word is the page size, which
	 * is the block size of DAX.
	 */
	const char *const *mkfs, *const *fsck;
	/*
	 * Turns on (or off) what mkfs and fsck may not know yet, on an unmounted
	 * filesystem. Turned off before mkfs or fsck runs, and if the kernel cannot mount
	 * with it. NULL: nothing.
	 */
	int (*tune)(const char *device, bool on);
	/*
	 * Of a mounted one, the file that says how much it keeps for itself, to which 0
	 * is written, so that tests can fill it; "%D" is the device's name. NULL: none.
	 */
	const char *reserve;
};

/* The table, in the order of names: the first for NULL; NULL after the last. */
const struct filesystem *filesystem_next(const struct filesystem *fs);

/* Where @fs comes in the table, below FILESYSTEMS_MAX, the most that it can have. */
#define FILESYSTEMS_MAX	8

unsigned int filesystem_index(const struct filesystem *fs);

/* NULL for an unknown @name. */
const struct filesystem *filesystem_find(const char *name);

/* Has it all of @features? */
bool filesystem_has(const struct filesystem *fs, unsigned int features);

#endif
