/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What libblkid recognizes on a block device: a filesystem, a partition table, a member
 * of a RAID or a volume group, ...
 */
#ifndef DAX_BREAK_SIGNATURE_H
#define DAX_BREAK_SIGNATURE_H

#include <stddef.h>

/*
 * Returns 0 if the device @path, open as @fd, bears no signature. -EOPNOTSUPP: it does, or
 * there is no way to tell.
 */
int signature_require_none(int fd, const char *path);

/* The UUID of the filesystem in the device or file @fd. -EIO: there is none. */
int signature_uuid(int fd, char *uuid, size_t size);

/* 0 if what @path holds is the filesystem with this @uuid; else -ENODATA. */
int signature_expect(const char *path, const char *uuid);

/*
 * Wipes the signature of the filesystem with this @uuid off the device @path, unless
 * something else is there. -EBUSY: the device is in use.
 */
int signature_wipe(const char *path, const char *uuid);

#endif
