// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "memory.h"
#include "virtqueue.h"

/* As in <linux/virtio_ring.h>, but in the machine's byte order: it is little-endian. */
struct desc {
	__u64 guest;
	__u32 len;
	__u16 flags, next;
};

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

struct avail {
	__u16 flags, idx, ring[];
};

struct used {
	__u16 flags, idx;
	struct {
		__u32 head, len;
	} ring[];
};

/* Adds a buffer to @chain; false if there are too many. */
static bool add(struct chain *chain, const struct desc *desc)
{
	bool out = desc->flags & WRITE;
	unsigned int *nr = out ? &chain->nr_out : &chain->nr_in;

	if (*nr == CHAIN_SEGMENTS)
		return false;
	(out ? chain->out : chain->in)[(*nr)++] = (struct segment){ desc->guest, desc->len };
	*(out ? &chain->out_len : &chain->in_len) += desc->len;
	return true;
}

/* Collects the buffers from entry @i of a table of @size; false if it makes no sense. */
static bool follow(const struct desc *table, unsigned int size, unsigned int i,
		   struct chain *chain)
{
	for (unsigned int count = 0; count < size && i < size; count++) {
		if (table[i].flags & INDIRECT) {
			size_t len = table[i].len;
			const struct desc *indirect = memory_at(table[i].guest, &len);

			return indirect && len == table[i].len &&
			       follow(indirect, len / sizeof(*indirect), 0, chain);
		}
		if (!add(chain, &table[i]))
			return false;
		if (!(table[i].flags & NEXT))
			return true;
		i = table[i].next;
	}
	return false;
}

static void push(struct virtqueue *queue, __u16 head, size_t len)
{
	/* Not kept from an earlier request: the memory may be mapped elsewhere by now. */
	struct used *used = memory_at_user(queue->used);
	__u64 one = 1;

	if (!queue->size || !used)
		return;
	used->ring[used->idx % queue->size].head = head;
	used->ring[used->idx % queue->size].len = len;
	__atomic_store_n(&used->idx, used->idx + 1, __ATOMIC_RELEASE);
	/*
	 * This ignores VIRTQ_AVAIL_F_NO_INTERRUPT. An emulator that runs all of its
	 * processors in one thread leaves memory barriers out. So the guest may miss this
	 * reply when it asks for interrupts again, while the server misses its asking.
	 */
	if (queue->call >= 0 && write(queue->call, &one, sizeof(one)) != sizeof(one))
		note("cannot tell the guest of a reply: %s", strerror(errno));
}

bool virtqueue_pop(struct virtqueue *queue, struct chain *chain)
{
	const struct desc *table = memory_at_user(queue->desc);
	struct avail *avail = memory_at_user(queue->avail);

	if (!queue->size || !table || !avail ||
	    queue->next == __atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE))
		return false;
	memset(chain, 0, offsetof(struct chain, in));
	chain->head = avail->ring[queue->next++ % queue->size];
	if (follow(table, queue->size, chain->head, chain))
		return true;
	note("a request that cannot be read");
	push(queue, chain->head, 0);
	return false;
}

static void copy(const struct segment *segment, unsigned int nr, char *buf, size_t len, bool out)
{
	for (; nr && len; nr--, segment++) {
		for (size_t done = 0; done < segment->len && len;) {
			size_t part = segment->len - done < len ? segment->len - done : len;
			void *at = memory_at(segment->guest + done, &part);

			if (!at) {
				note("a buffer at %#llx, where there is no memory",
				     (unsigned long long)segment->guest);
				return;
			}
			if (out)
				memcpy(at, buf, part);
			else
				memcpy(buf, at, part);
			done += part;
			buf += part;
			len -= part;
		}
	}
}

void chain_read(const struct chain *chain, void *buf, size_t len)
{
	copy(chain->in, chain->nr_in, buf, len, false);
}

void virtqueue_reply(struct virtqueue *queue, const struct chain *chain, const void *buf,
		     size_t len)
{
	copy(chain->out, chain->nr_out, (void *)buf, len, true);
	push(queue, chain->head, len);
}
