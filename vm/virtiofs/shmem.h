/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the guest finds in its DAX window. All in bytes; 0 or a negative errno. Done on
 * return: the guest sees it.
 */
#ifndef VIRTIOFS_SHMEM_H
#define VIRTIOFS_SHMEM_H

#include <linux/types.h>

/* @len bytes of file @fd from @offset on, at @at; nothing is mapped there yet. */
int shmem_map(int fd, __u64 offset, __u64 at, __u64 len);

/* Just what one call of shmem_map() has mapped. */
int shmem_unmap(__u64 at, __u64 len);

#endif
