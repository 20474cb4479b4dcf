// SPDX-License-Identifier: GPL-2.0
/*
 * A virtio-fs device with a DAX window, for tests: it has its files in memory, follows
 * the tests' orders, and checks what the guest's kernel does.
 *
 *	virtiofs_server TAG WINDOW_MIB
 *
 * Standard input is a socket to QEMU, whose device is vhost-user-test-device-pci with
 * virtio-id=26 (QEMU 11.1). The server ends when QEMU does. It logs to standard error.
 *
 * It uses nothing but the C library. This is what virtiofs/ has, from the bottom to the
 * top; nothing uses what is below it in this list:
 *
 *	log		notes, and complaints
 *	memory		the guest's memory
 *	virtqueue	requests and replies in that memory
 *	vhost_user	messages of QEMU, which maps files into the DAX window
 *	stray		finds memory that appears where there should be none
 *	window		which part of which file is mapped where in the DAX window
 *	store		the files, and what a kernel that did not wait has written to them
 *	hold		replies that are kept back
 *	fuse		the requests; fuse_names and fuse_files carry most of them out
 *	control		the files through which tests give orders and read complaints
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "virtiofs/control.h"
#include "virtiofs/fuse.h"
#include "virtiofs/hold.h"
#include "virtiofs/log.h"
#include "virtiofs/store.h"
#include "virtiofs/vhost_user.h"
#include "virtiofs/window.h"

/* What the guest may write at once (MAX_WRITE of fuse.c), and a page for headers. */
#define BUFFER_SIZE	((256 << 10) + 4096)

/* Answers @request, which is chain->in_len bytes long, with a byte of 0 behind it. */
static void answer(struct virtqueue *queue, const struct chain *chain, const char *request)
{
	static char out[BUFFER_SIZE];
	size_t room = chain->out_len < sizeof(out) ? chain->out_len : sizeof(out);
	const struct fuse_in_header *header = (const void *)request;
	struct fuse_out_header *reply = (void *)out;
	struct request r = {
		.header = header,
		.in = header + 1,
		.in_len = chain->in_len - sizeof(*header),
		.out = reply + 1,
		.out_max = room > sizeof(*reply) ? room - sizeof(*reply) : 0,
	};
	int rc = fuse_answer(&r);

	if (rc == NO_REPLY) {
		virtqueue_reply(queue, chain, NULL, 0);
		return;
	}
	*reply = (struct fuse_out_header){
		.len = sizeof(*reply) + (rc ? 0 : r.out_len),
		.error = rc,
		.unique = header->unique,
	};
	if (r.hold)
		hold_reply(queue, chain, request, out, reply->len);
	else
		virtqueue_reply(queue, chain, out, reply->len);
}

static void serve_queue(struct virtqueue *queue)
{
	static char request[BUFFER_SIZE + 1];
	static struct chain chain;
	__u64 kicks;

	if (read(queue->kick, &kicks, sizeof(kicks)) < 0)
		return;
	while (virtqueue_pop(queue, &chain)) {
		if (chain.in_len < sizeof(struct fuse_in_header) || chain.in_len > BUFFER_SIZE) {
			note("a request of %zu bytes", chain.in_len);
			virtqueue_reply(queue, &chain, NULL, 0);
			continue;
		}
		chain_read(&chain, request, chain.in_len);
		request[chain.in_len] = '\0';
		answer(queue, &chain, request);
	}
}

/* Returns when QEMU is gone. */
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
			/* QEMU may have set up the queues anew. */
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
		note("usage: virtiofs_server TAG WINDOW_MIB");
		return 2;
	}
	vhost.socket = STDIN_FILENO;
	vhost.tag = argv[1];
	vhost.window_size = (__u64)mib << 20;
	window_init(vhost.window_size);
	store_init();
	control_init();
	serve();
	store_look("when the guest was gone");
	return 0;
}
