// SPDX-License-Identifier: GPL-2.0
/*
 * A virtio-fs device with a DAX window, for tests: files in memory, orders, a checker.
 *
 *	virtiofs-server TAG WINDOW_MIB
 *
 * Standard input is the socket to QEMU, whose device is vhost-user-test-device-pci with
 * virtio-id=26 (QEMU 11.1). It ends when QEMU does. What it sees goes to standard error.
 *
 * What is where, from the wire to the files:
 *
 *	vhost_user	messages of QEMU; what is mapped into the window (shmem.h)
 *	memory		the guest's memory
 *	virtqueue	requests and replies in it
 *	fuse		the table of requests; fuse_names, fuse_files: what they do
 *	window		which file is mapped where
 *	store		the files
 *	checker		what a kernel that did not wait has written to, and should not have
 *	control, hold	orders of the tests
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checker.h"
#include "control.h"
#include "fuse.h"
#include "hold.h"
#include "log.h"
#include "store.h"
#include "vhost_user.h"
#include "window.h"

/* A page more than what the guest may write at once: headers. */
#define BUFFER_SIZE	((256 << 10) + 4096)

static void answer(struct virtqueue *queue, const struct chain *chain)
{
	static char in[BUFFER_SIZE + 1], out[BUFFER_SIZE];
	const struct fuse_in_header *header = (const void *)in;
	struct fuse_out_header *reply = (void *)out;
	struct request r = {
		.header = header,
		.in = in + sizeof(*header),
		.out = out + sizeof(*reply),
		.out_max = chain->out_len > sizeof(*reply) ? chain->out_len - sizeof(*reply) : 0,
	};
	const struct node *node;
	bool control;
	int rc;

	if (chain->in_len < sizeof(*header) || chain->in_len > BUFFER_SIZE) {
		note("a request of %zu bytes", chain->in_len);
		virtqueue_push(queue, chain->head, 0);
		return;
	}
	chain_read(chain, in, chain->in_len);
	in[chain->in_len] = '\0';
	r.in_len = chain->in_len - sizeof(*header);
	if (r.out_max > BUFFER_SIZE - sizeof(*reply))
		r.out_max = BUFFER_SIZE - sizeof(*reply);
	node = store_find(header->nodeid);
	/* No order is about the files that they are written to. */
	control = node && node->control;
	rc = fuse_answer(&r);
	if (rc == NO_REPLY) {
		virtqueue_push(queue, chain->head, 0);
		return;
	}
	*reply = (struct fuse_out_header){
		.len = sizeof(*reply) + (rc ? 0 : r.out_len),
		.error = rc,
		.unique = header->unique,
	};
	if (!control && control_holds(fuse_op_find(header->opcode))) {
		hold_reply(queue, chain, in, out, reply->len);
		return;
	}
	chain_write(chain, out, reply->len);
	virtqueue_push(queue, chain->head, reply->len);
}

static void serve_queue(struct virtqueue *queue)
{
	static struct chain chain;
	__u64 kicks;

	if (read(queue->kick, &kicks, sizeof(kicks)) < 0)
		return;
	while (virtqueue_pop(queue, &chain))
		answer(queue, &chain);
}

/* Until QEMU is gone. */
static void serve(void)
{
	struct pollfd polled[1 + VHOST_QUEUES];

	for (;;) {
		polled[0] = (struct pollfd){ .fd = vhost.socket, .events = POLLIN };
		for (int i = 0; i < VHOST_QUEUES; i++)
			polled[1 + i] = (struct pollfd){ .fd = vhost.queues[i].kick,
							 .events = POLLIN };
		if (poll(polled, 1 + VHOST_QUEUES, -1) < 0 && errno != EINTR)
			die("cannot wait for anything: %s", strerror(errno));
		if (polled[0].revents) {
			if (!vhost_serve())
				return;
			/* The queues may have been set up anew. */
			continue;
		}
		for (int i = 0; i < VHOST_QUEUES; i++)
			if (polled[1 + i].revents & POLLIN)
				serve_queue(&vhost.queues[i]);
	}
}

int main(int argc, char **argv)
{
	unsigned int mib = argc == 3 ? atoi(argv[2]) : 0;

	if (!mib || mib % (RANGE_SIZE >> 20)) {
		note("usage: virtiofs-server TAG WINDOW_MIB");
		return 2;
	}
	vhost.socket = STDIN_FILENO;
	vhost.tag = argv[1];
	vhost.window_size = (__u64)mib << 20;
	window_init(vhost.window_size);
	store_init();
	control_init();
	serve();
	checker_look("when the guest was gone");
	return 0;
}
