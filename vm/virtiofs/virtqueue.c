// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "memory.h"
#include "virtqueue.h"

/* Little-endian, as the machine is; <linux/virtio_ring.h> has them of either kind. */
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

/* One descriptor into the chain. False: there are too many. */
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
	virtqueue_push(queue, chain->head, 0);
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

void chain_write(const struct chain *chain, const void *buf, size_t len)
{
	copy(chain->out, chain->nr_out, (void *)buf, len, true);
}

void virtqueue_push(struct virtqueue *queue, __u16 head, size_t len)
{
	/* Looked up anew: the memory may have been mapped elsewhere meanwhile. */
	struct used *used = memory_at_user(queue->used);
	__u64 one = 1;

	if (!queue->size || !used)
		return;
	used->ring[used->idx % queue->size].head = head;
	used->ring[used->idx % queue->size].len = len;
	__atomic_store_n(&used->idx, used->idx + 1, __ATOMIC_RELEASE);
	/*
	 * Whether or not the guest wants to be told just now: an emulator that runs all of
	 * its processors in one thread leaves memory barriers out, so that the guest can
	 * have missed this reply when it asks for interrupts again, and we its asking.
	 */
	if (queue->call >= 0 && write(queue->call, &one, sizeof(one)) != sizeof(one))
		note("cannot tell the guest of a reply: %s", strerror(errno));
}
