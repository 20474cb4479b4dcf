/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Split virtqueues (virtio 1.2, section 2.7): takes requests out of them, and puts replies
 * into them. Addresses are either the guest's or QEMU's (memory.h), lengths are in bytes.
 */
#ifndef VIRTIOFS_VIRTQUEUE_H
#define VIRTIOFS_VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

struct virtqueue {
	unsigned int size;		/* entries; 0 before it is set up */
	__u64 desc, avail, used;	/* the three parts, as addresses in QEMU */
	__u16 next;			/* the index in avail of the next request */
	int kick;			/* eventfd: the guest has added requests; -1: none */
	int call;			/* eventfd that tells the guest of replies; -1: none */
};

/* Of either kind: for a request or reply of 256 KiB in pages, and headers. */
#define CHAIN_SEGMENTS	300

/* The buffers of a request: @in is what the server reads, @out what it writes to. */
struct chain {
	__u16 head;			/* index of the first descriptor */
	unsigned int nr_in, nr_out;
	size_t in_len, out_len;		/* of all segments */
	struct segment {
		__u64 guest;		/* physical address in the guest */
		__u32 len;
	} in[CHAIN_SEGMENTS], out[CHAIN_SEGMENTS];
};

/* Takes the next request out of @queue; false if there is none that can be read. */
bool virtqueue_pop(struct virtqueue *queue, struct chain *chain);

/* Copies the first @len bytes of the request to @buf. */
void chain_read(const struct chain *chain, void *buf, size_t len);

/* Gives the request back, with @len bytes of a reply, which may be none. */
void virtqueue_reply(struct virtqueue *queue, const struct chain *chain, const void *buf,
		     size_t len);

#endif
