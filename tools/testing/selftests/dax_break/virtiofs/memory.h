/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's memory, as QEMU shares it with this process: RAM, and the files that are
 * mapped into the DAX window, as requests may have their buffers there. Sizes are in
 * bytes. The server ends if memory cannot be mapped.
 */
#ifndef VIRTIOFS_MEMORY_H
#define VIRTIOFS_MEMORY_H

#include <stddef.h>
#include <linux/types.h>

/* As in messages: "Single memory region description" of the vhost-user protocol. */
struct memory_region {
	__u64 guest;		/* physical address in the guest */
	__u64 size;
	__u64 user;		/* address in QEMU, which is how QEMU tells where rings are */
	__u64 offset;		/* in the file that the region is shared through */
};

/* Maps the region. The caller may close @fd then. */
void memory_add(const struct memory_region *region, int fd);
void memory_remove(const struct memory_region *region);
void memory_remove_all(void);

/*
 * Where this process sees the guest's physical address @guest; NULL if there is no memory.
 * *@len, the bytes that are wanted from there on, is cut to those that are contiguous.
 */
void *memory_at(__u64 guest, size_t *len);

/* Where this process sees QEMU's address @user; NULL if there is no memory. */
void *memory_at_user(__u64 user);

#endif
