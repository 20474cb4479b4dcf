/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The device's side of vhost-user (docs/interop/vhost-user.rst of QEMU, the "back-end"), as
 * far as a virtio-fs device with a DAX window needs it. Offsets and lengths are in bytes.
 */
#ifndef VIRTIOFS_VHOST_USER_H
#define VIRTIOFS_VHOST_USER_H

#include <stdbool.h>
#include <linux/types.h>

#include "virtqueue.h"

/* Queue 0 is for FUSE_FORGET and the like, queue 1 for all else (virtio 1.2, 5.11.2). */
#define VHOST_QUEUES	2

struct vhost {
	int socket;			/* to QEMU */
	const char *tag;		/* what the guest mounts */
	__u64 window_size;		/* bytes */
	struct virtqueue queues[VHOST_QUEUES];
};

/* The only one. main() fills in all but the queues, which QEMU sets up. */
extern struct vhost vhost;

/* Reads one message of QEMU and does what it says; false if there will be no more. */
bool vhost_serve(void);

/*
 * The DAX window is a shared memory region of the device (virtio 1.2, section 5.11.4) that
 * QEMU maps files into. @at is an offset in it. These return 0 or a negative errno, once
 * the guest sees the change, and serve QEMU's messages until then.
 */

/* Maps @len bytes of file @fd, from @offset on, at @at, where nothing is mapped yet. */
int shmem_map(int fd, __u64 offset, __u64 at, __u64 len);

/* Unmaps exactly what one call of shmem_map() has mapped. */
int shmem_unmap(__u64 at, __u64 len);

#endif
