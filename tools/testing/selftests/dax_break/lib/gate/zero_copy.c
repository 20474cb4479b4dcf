// SPDX-License-Identifier: GPL-2.0
/*
 * The gate's zero copy: requests whose pages are fixed buffers of a ring.
 *
 * REGISTER_IO_BUF enters the pages of a request, which are the submitter's (pinned)
 * pages, in the buffer table of the ring that it is issued on
 * (io_uring/rsrc.c: io_buffer_register_request()), and takes a reference not to the
 * pages but to the request: it does not end before the last table drops them
 * (drivers/block/ublk_drv.c: ublk_io_release()), completed or not.
 *
 * The table is that of a ring apart, not of the one that serves the device. A tag
 * whose request has not ended has a FETCH that cannot be cancelled (ublk_cancel_cmd()),
 * and a ring that is torn down cancels first and empties its table last: with both on
 * one ring, a server killed in that state might never let go.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "gate/internal.h"
#include "why.h"

/* Linux 6.12; the offsets 6.13; ublk's zero copy 6.15. liburing 2.3 has none of it. */
#define REGISTER_CLONE_BUFFERS	30

struct clone_buffers {
	__u32 src_fd;
	__u32 flags;
	__u32 src_off;
	__u32 dst_off;
	__u32 nr;
	__u32 pad[3];
};

int gate_zero_copy_open(struct gate_server *s)
{
	struct gate_zero_copy *z = &s->zero_copy;
	int err;

	z->file = memfd_create("dax_break_gate", MFD_CLOEXEC);
	if (z->file < 0)
		return why_set(errno, "gate: memfd_create: %m");
	err = io_uring_queue_init(1, &z->ring, 0);
	if (err)
		return why_set(-err, "gate: no second ring: %s", strerror(-err));
	err = io_uring_register_buffers_sparse(&z->ring, GATE_TAGS);
	return err ? why_set(-err, "gate: no buffer table: %s", strerror(-err)) : 0;
}

/* The ring's only SQE, empty; NULL if it could not be submitted the last time. */
static struct io_uring_sqe *only_sqe(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (sqe)
		memset(sqe, 0, sizeof(*sqe));
	return sqe;
}

/* Does what that says, and returns what came of it. */
static int run(struct gate_zero_copy *z, struct io_uring *ring, struct io_uring_sqe *sqe)
{
	struct __kernel_timespec left = { .tv_sec = DEADLINE_MS / 1000 };
	struct io_uring_cqe *cqe;
	int result;
	bool ours;
	int err;

	sqe->user_data = ++z->number;
	err = io_uring_submit(ring);
	if (err < 0)
		return err;
	do {
		err = io_uring_wait_cqe_timeout(ring, &cqe, &left);
		if (err)
			return err;
		result = cqe->res;
		/* Not so after an operation that took too long. */
		ours = cqe->user_data == z->number;
		io_uring_cqe_seen(ring, cqe);
	} while (!ours);
	return result;
}

/* Runs @op, {REGISTER,UNREGISTER}_IO_BUF, for @t. */
static int command(struct gate_server *s, struct gate_tag *t, unsigned int op)
{
	struct io_uring *ring = &s->zero_copy.ring;
	struct io_uring_sqe *sqe = only_sqe(ring);
	struct ublksrv_io_cmd *cmd;

	if (!sqe)
		return -EBUSY;
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = s->queues;
	sqe->cmd_op = op;
	cmd = (struct ublksrv_io_cmd *)sqe->cmd;
	cmd->q_id = t->queue;
	cmd->tag = t->tag;
	cmd->addr = t - s->tags;
	return run(&s->zero_copy, ring, sqe);
}

static int failed(int err, const char *what)
{
	return why_set(-err, "gate: %s: %s", what, strerror(-err));
}

static int enter(struct gate_server *s, struct gate_tag *t)
{
	int err = command(s, t, UBLK_U_IO_REGISTER_IO_BUF);

	if (err)
		return failed(err, "UBLK_U_IO_REGISTER_IO_BUF");
	t->ring = &s->zero_copy.ring;
	return 0;
}

static int drop_clone(struct io_uring *ring)
{
	int err = io_uring_unregister_buffers(ring);

	io_uring_queue_exit(ring);
	free(ring);
	return err ? failed(err, "IORING_UNREGISTER_BUFFERS") : 0;
}

int gate_zero_copy_drop(struct gate_server *s, struct gate_tag *t)
{
	struct io_uring *ring = t->ring;
	struct iovec none = {};
	int err;

	t->ring = NULL;
	if (!ring)
		return 0;
	if (ring != &s->zero_copy.ring)
		return drop_clone(ring);
	if (!t->committed) {
		err = command(s, t, UBLK_U_IO_UNREGISTER_IO_BUF);
		return err ? failed(err, "UBLK_U_IO_UNREGISTER_IO_BUF") : 0;
	}
	/* Linux 6.16 refuses UNREGISTER_IO_BUF then (-EBUSY). */
	err = io_uring_register_buffers_update_tag(ring, t - s->tags, &none, NULL, 1);
	return err < 0 ? failed(err, "IORING_REGISTER_BUFFERS_UPDATE") : 0;
}

/*
 * From the ring's table to that of a ring of its own, as one might hand requests to
 * somebody else. Not all into one: Linux 6.16 then loses some (IORING_REGISTER_DST_REPLACE).
 */
static int move_to_clone(struct gate_server *s, struct gate_tag *t)
{
	struct clone_buffers arg = {
		.src_fd = s->zero_copy.ring.ring_fd,
		.src_off = t - s->tags,
		.nr = 1,
	};
	struct io_uring *ring = malloc(sizeof(*ring));
	int err;

	if (!ring)
		return why_set(ENOMEM, "gate: no memory for a ring");
	err = io_uring_queue_init(1, ring, 0);
	if (err) {
		free(ring);
		return failed(err, "io_uring_setup");
	}
	err = io_uring_register(ring->ring_fd, REGISTER_CLONE_BUFFERS, &arg, 1);
	if (err) {
		io_uring_queue_exit(ring);
		free(ring);
		return failed(err, "IORING_REGISTER_CLONE_BUFFERS");
	}
	err = gate_zero_copy_drop(s, t);
	t->ring = ring;
	return err;
}

/*
 * Positive control: the kernel still has all the requests that we have completed. A
 * stranger's request, which is answered at once, may hide that one is missing, but
 * nothing makes it look so.
 */
static int check_in_flight(struct gate_server *s)
{
	unsigned int reads = 0, writes = 0, committed = 0;
	char path[64];
	FILE *file;
	int n;

	for (struct gate_tag *t = s->tags; t < s->tags + GATE_TAGS; t++)
		committed += t->committed;
	snprintf(path, sizeof(path), "/sys/block/ublkb%u/inflight", s->info.dev_id);
	file = fopen(path, "re");
	if (!file)
		return why_set(errno, "gate: %s: %m", path);
	n = fscanf(file, "%u %u", &reads, &writes);
	fclose(file);
	if (n != 2)
		return why_set(EIO, "gate: %s is not two numbers", path);
	if (reads + writes < committed)
		return why_set(EIO, "gate: a request ended with its pages in a buffer table");
	return 0;
}

int gate_zero_copy_hold(struct gate_server *s, struct gate_tag *t)
{
	int err = enter(s, t);

	if (!err && s->mode == GATE_FIXED_CLONE)
		err = move_to_clone(s, t);
	if (err || s->mode == GATE_FIXED || s->mode == GATE_FIXED_KILL)
		return err;
	gate_commit(s, t, t->request->nr_sectors << SECTOR_SHIFT);
	t->state = TAG_HELD;
	t->committed = true;
	return check_in_flight(s);
}

int gate_zero_copy_move(struct gate_server *s, struct gate_tag *t, size_t bytes)
{
	bool read = ublksrv_get_op(t->request) == UBLK_IO_OP_READ;
	struct gate_zero_copy *z = &s->zero_copy;
	struct io_uring_sqe *sqe;
	unsigned int index;
	int n;

	if (!t->ring) {
		n = enter(s, t);
		if (n)
			return n;
	}
	if (read && pwrite(z->file, t->buffer, bytes, 0) != (ssize_t)bytes)
		return why_set(EIO, "gate: cannot write to a memfd: %m");

	index = t->ring == &z->ring ? t - s->tags : 0;
	/* Addresses are offsets into the buffer. */
	sqe = only_sqe(t->ring);
	if (!sqe)
		return why_set(EBUSY, "gate: the ring is full");
	if (read)
		io_uring_prep_read_fixed(sqe, z->file, NULL, bytes, 0, index);
	else
		io_uring_prep_write_fixed(sqe, z->file, NULL, bytes, 0, index);
	n = run(z, t->ring, sqe);
	if (n == (int)bytes)
		return 0;
	return why_set(n < 0 ? -n : EIO, "gate: %s_FIXED: %s", read ? "READ" : "WRITE",
		       n < 0 ? strerror(-n) : "moved less than all");
}
