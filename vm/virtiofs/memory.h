/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's memory, in this process: what QEMU has shared of it. That includes what
 * is mapped into the DAX window, as requests may read from and write to files there.
 */
#ifndef VIRTIOFS_MEMORY_H
#define VIRTIOFS_MEMORY_H

#include <stddef.h>
#include <linux/types.h>

/* As in the messages of vhost-user. Addresses and sizes in bytes. */
struct memory_region {
	__u64 guest;		/* physical address in the guest */
	__u64 size;
	__u64 user;		/* address in QEMU, by which it names the rings */
	__u64 offset;		/* in the file that it is shared by */
};

/* Maps it; @fd may be closed then. */
void memory_add(const struct memory_region *region, int fd);
void memory_remove(const struct memory_region *region);
void memory_remove_all(void);

/*
 * Where guest address @guest is; *@len becomes what is contiguous there, at most what it
 * was. NULL: there is no memory.
 */
void *memory_at(__u64 guest, size_t *len);

/* The same for an address in QEMU. */
void *memory_at_user(__u64 user);

#endif
