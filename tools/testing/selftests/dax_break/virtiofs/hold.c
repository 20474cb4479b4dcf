// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <linux/falloc.h>
#include <linux/fuse.h>

#include "hold.h"
#include "log.h"
#include "store.h"

static struct held {
	struct held *next;
	struct virtqueue *queue;
	struct chain chain;
	struct {
		struct fuse_in_header header;
		struct fuse_fallocate_in in;	/* if it is a FUSE_FALLOCATE */
	} request;
	size_t len;
	char reply[];
} *first;

void hold_reply(struct virtqueue *queue, const struct chain *chain, const void *in,
		const void *reply, size_t len)
{
	struct held **end = &first, *held = calloc(1, sizeof(*held) + len);

	if (!held)
		die("no memory to keep a reply");
	held->queue = queue;
	held->chain = *chain;
	memcpy(&held->request, in, chain->in_len < sizeof(held->request) ? chain->in_len :
				   sizeof(held->request));
	held->len = len;
	memcpy(held->reply, reply, len);
	while (*end)
		end = &(*end)->next;
	*end = held;
}

unsigned int hold_count(void)
{
	unsigned int count = 0;

	for (struct held *held = first; held; held = held->next)
		count++;
	return count;
}

static void look_if_punched(const struct held *held)
{
	const struct fuse_fallocate_in *in = &held->request.in;
	struct node *node = store_find(held->request.header.nodeid);

	if (held->request.header.opcode == FUSE_FALLOCATE && node &&
	    (in->mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)))
		store_look_at_punched(node, in->offset, in->length);
}

void hold_end(void)
{
	while (first) {
		struct held *held = first;

		look_if_punched(held);
		virtqueue_reply(held->queue, &held->chain, held->reply, held->len);
		first = held->next;
		free(held);
	}
}
