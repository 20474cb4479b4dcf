// SPDX-License-Identifier: GPL-2.0
/*
 * Direct I/O by io_uring: IORING_OP_READ and IORING_OP_WRITE, io_uring/rw.c. It needs
 * liburing; the holders that go this way are in uring.c, and are there without it.
 */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

#include "deadline.h"
#include "finding.h"
#include "holder/dio.h"

static int uring_open(void **queue, unsigned int depth)
{
	struct io_uring *ring = calloc(1, sizeof(*ring));
	int err;

	if (!ring)
		return why_set(ENOMEM, "no memory for a ring");
	err = io_uring_queue_init(depth, ring, 0);
	if (err) {
		free(ring);
		return why_set(EOPNOTSUPP,
			       "no io_uring: needs CONFIG_IO_URING, kernel.io_uring_disabled=0: %s",
			       strerror(-err));
	}
	*queue = ring;
	return 0;
}

static int uring_start(void *queue, struct dio_request *req)
{
	struct io_uring *ring = queue;
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	int n;

	if (!sqe)
		return why_set(ENOSPC, "the ring is full");
	if (req->write)
		io_uring_prep_write(sqe, req->fd, req->addr, req->len, req->offset);
	else
		io_uring_prep_read(sqe, req->fd, req->addr, req->len, req->offset);
	io_uring_sqe_set_data(sqe, req);
	n = io_uring_submit(ring);
	return n == 1 ? 0 : why_set(-n, "io_uring_enter: %s", strerror(-n));
}

static int uring_wait(void *queue, struct dio_request *req)
{
	struct io_uring *ring = queue;
	long deadline = deadline_in(DEADLINE_MS);
	struct __kernel_timespec left;
	struct dio_request *ended;
	struct io_uring_cqe *cqe;
	int err;

	while (req->running) {
		left.tv_sec = deadline_left(deadline) / 1000;
		left.tv_nsec = deadline_left(deadline) % 1000 * 1000000L;
		err = io_uring_wait_cqe_timeout(ring, &cqe, &left);
		if (err == -ETIME)
			return why_set(ETIMEDOUT,
				       "an O_DIRECT request was answered but has no completion");
		if (err == -EINTR)
			continue;
		if (err)
			return why_set(-err, "io_uring_enter: %s", strerror(-err));
		ended = io_uring_cqe_get_data(cqe);
		ended->result = cqe->res;
		ended->running = false;
		io_uring_cqe_seen(ring, cqe);
	}
	return 0;
}

static void uring_close(void *queue)
{
	io_uring_queue_exit(queue);
	free(queue);
}

const struct dio_way dio_uring = {
	.open = uring_open,
	.start = uring_start,
	.wait = uring_wait,
	.close = uring_close,
};
