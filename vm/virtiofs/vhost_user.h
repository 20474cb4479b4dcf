/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The device's side of vhost-user (docs/interop/vhost-user.rst of QEMU), as far as a
 * virtio-fs device with a DAX window takes it.
 */
#ifndef VIRTIOFS_VHOST_USER_H
#define VIRTIOFS_VHOST_USER_H

#include <linux/types.h>

#include "virtqueue.h"

/* 0 is for what must not wait (FUSE_FORGET), 1 for all else. */
#define VHOST_QUEUES	2

struct vhost {
	int socket;			/* to QEMU */
	const char *tag;		/* what the guest mounts */
	__u64 window_size;		/* bytes */
	struct virtqueue queues[VHOST_QUEUES];
};

/* The only one. */
extern struct vhost vhost;

/*
 * Reads one message of QEMU and does what it says; false: there will be no more.
 * Implements shmem.h, too: in there messages are served while an answer is waited for.
 */
bool vhost_serve(void);

#endif
