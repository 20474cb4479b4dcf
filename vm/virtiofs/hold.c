// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "fuse.h"
#include "hold.h"
#include "log.h"

static struct held {
	struct held *next;
	struct virtqueue *queue;
	struct chain chain;
	char *in, *reply;
	size_t len;
} *first;

static void *copy(const void *from, size_t len)
{
	void *to = malloc(len);

	if (!to)
		die("no memory to keep a reply");
	return memcpy(to, from, len);
}

void hold_reply(struct virtqueue *queue, const struct chain *chain, const void *in,
		const void *reply, size_t len)
{
	struct held **end = &first, *held = calloc(1, sizeof(*held));

	if (!held)
		die("no memory to keep a reply");
	held->queue = queue;
	held->chain = *chain;
	held->in = copy(in, chain->in_len);
	held->reply = copy(reply, len);
	held->len = len;
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

void hold_end(void)
{
	while (first) {
		struct held *held = first;
		struct request r = {
			.header = (const void *)held->in,
			.in = held->in + sizeof(struct fuse_in_header),
			.in_len = held->chain.in_len - sizeof(struct fuse_in_header),
		};

		fuse_replying(&r);
		chain_write(&held->chain, held->reply, held->len);
		virtqueue_push(held->queue, held->chain.head, held->len);
		first = held->next;
		free(held->in);
		free(held->reply);
		free(held);
	}
}
