/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Split virtqueues (virtio 1.2, section 2.7): requests out of them, replies into them.
 */
#ifndef VIRTIOFS_VIRTQUEUE_H
#define VIRTIOFS_VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

struct virtqueue {
	unsigned int size;		/* entries; 0: not set up */
	__u64 desc, avail, used;	/* addresses in QEMU */
	__u16 next;			/* index in avail of the next request */
	int kick;			/* eventfds, -1: none. The guest has added a request */
	int call;			/* to tell the guest of a reply */
};

/* A request's buffers: read by us (in), and written to (out). */
#define CHAIN_SEGMENTS	300

struct chain {
	__u16 head;
	unsigned int nr_in, nr_out;
	size_t in_len, out_len;		/* bytes in all */
	struct segment {
		__u64 guest;		/* address */
		__u32 len;
	} in[CHAIN_SEGMENTS], out[CHAIN_SEGMENTS];
};

/* The next request of @queue; false: there is none, or none that can be read. */
bool virtqueue_pop(struct virtqueue *queue, struct chain *chain);

/* Copies the first @len bytes of the request, or of the reply. */
void chain_read(const struct chain *chain, void *buf, size_t len);
void chain_write(const struct chain *chain, const void *buf, size_t len);

/* Gives the request back, with @len bytes of a reply. */
void virtqueue_push(struct virtqueue *queue, __u16 head, size_t len);

#endif
