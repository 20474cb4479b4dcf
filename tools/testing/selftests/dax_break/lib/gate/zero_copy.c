// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/proc.h"
#include "deadline.h"
#include "finding.h"
#include "gate/zero_copy.h"

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

int gate_zero_copy_open(struct gate_zero_copy *z, struct gate_device *device)
{
	int err;

	z->device = device;
	z->file = memfd_create("dax_break_gate", MFD_CLOEXEC);
	if (z->file < 0)
		return why_set(errno, "gate: memfd_create: %m");
	err = io_uring_queue_init(1, &z->ring, 0);
	if (err)
		return why_set(-err, "gate: no second ring: %s", strerror(-err));
	err = io_uring_register_buffers_sparse(&z->ring, GATE_TAGS);
	return err ? why_set(-err, "gate: no buffer table: %s", strerror(-err)) : 0;
}

/* Runs the operation @sqe on @ring and returns its result. */
static int run(struct gate_zero_copy *z, struct io_uring *ring, const struct io_uring_sqe *sqe)
{
	struct __kernel_timespec left = { .tv_sec = DEADLINE_MS / 1000 };
	struct io_uring_sqe *only = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	int result;
	bool ours;
	int err;

	/* The last one could not be submitted. */
	if (!only)
		return -EBUSY;
	*only = *sqe;
	only->user_data = ++z->number;
	err = io_uring_submit(ring);
	if (err < 0)
		return err;
	do {
		err = io_uring_wait_cqe_timeout(ring, &cqe, &left);
		if (err)
			return err;
		result = cqe->res;
		/* Otherwise it is the end of an operation that took too long. */
		ours = cqe->user_data == z->number;
		io_uring_cqe_seen(ring, cqe);
	} while (!ours);
	return result;
}

/* Where the pages of @t are in the table of z->ring. */
static unsigned int index_of(struct gate_zero_copy *z, struct gate_tag *t)
{
	return t - z->device->tags;
}

/* Runs @op, {REGISTER,UNREGISTER}_IO_BUF, for @t. */
static int command(struct gate_zero_copy *z, struct gate_tag *t, unsigned int op)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_URING_CMD,
		.fd = z->device->queues,
		.cmd_op = op,
	};
	struct ublksrv_io_cmd *cmd = (struct ublksrv_io_cmd *)sqe.cmd;

	cmd->q_id = t->queue;
	cmd->tag = t->tag;
	cmd->addr = index_of(z, t);
	return run(z, &z->ring, &sqe);
}

static int enter(struct gate_zero_copy *z, struct gate_tag *t)
{
	int err = command(z, t, UBLK_U_IO_REGISTER_IO_BUF);

	if (!err)
		t->ring = &z->ring;
	return ublk_failed(err, "UBLK_U_IO_REGISTER_IO_BUF");
}

int gate_zero_copy_drop(struct gate_zero_copy *z, struct gate_tag *t)
{
	struct io_uring *ring = t->ring;
	struct iovec none = {};
	int err;

	t->ring = NULL;
	if (!ring)
		return 0;
	if (ring == &t->clone) {
		err = io_uring_unregister_buffers(ring);
		io_uring_queue_exit(ring);
		return ublk_failed(err, "IORING_UNREGISTER_BUFFERS");
	}
	if (!t->committed) {
		err = command(z, t, UBLK_U_IO_UNREGISTER_IO_BUF);
		return ublk_failed(err, "UBLK_U_IO_UNREGISTER_IO_BUF");
	}
	/* Linux 6.16 refuses UNREGISTER_IO_BUF then (-EBUSY). */
	err = io_uring_register_buffers_update_tag(ring, index_of(z, t), &none, NULL, 1);
	return err < 0 ? ublk_failed(err, "IORING_REGISTER_BUFFERS_UPDATE") : 0;
}

/*
 * Moves the buffer to the table of a ring of its own, as a server might do that hands
 * requests to another process. Each gets its own ring, since Linux 6.16 loses some if all
 * are cloned into one (IORING_REGISTER_DST_REPLACE).
 */
static int move_to_clone(struct gate_zero_copy *z, struct gate_tag *t)
{
	struct clone_buffers arg = {
		.src_fd = z->ring.ring_fd,
		.src_off = index_of(z, t),
		.nr = 1,
	};
	int err;

	err = io_uring_queue_init(1, &t->clone, 0);
	if (err)
		return ublk_failed(err, "io_uring_setup");
	err = io_uring_register(t->clone.ring_fd, REGISTER_CLONE_BUFFERS, &arg, 1);
	if (err) {
		io_uring_queue_exit(&t->clone);
		return ublk_failed(err, "IORING_REGISTER_CLONE_BUFFERS");
	}
	err = gate_zero_copy_drop(z, t);
	t->ring = &t->clone;
	return err;
}

/*
 * Positive control: the kernel has not ended any of the requests that we have committed.
 * If some other program has a request in flight, that may hide that one of ours is
 * missing, but nothing can make one look missing that is not.
 */
static int check_in_flight(struct gate_device *device)
{
	unsigned int reads = 0, writes = 0, committed = 0;
	char text[64];

	for (struct gate_tag *t = device->tags; t < device->tags + GATE_TAGS; t++)
		committed += t->committed;
	proc_text(text, sizeof(text), "/sys/block/ublkb%u/inflight", device->ublk.info.dev_id);
	if (sscanf(text, "%u %u", &reads, &writes) != 2)
		return why_set(EIO, "gate: inflight in /sys/block is not two numbers");
	if (reads + writes < committed)
		return why_set(EIO, "gate: a request ended with its pages in a buffer table");
	return 0;
}

int gate_zero_copy_hold(struct gate_zero_copy *z, struct gate_tag *t)
{
	enum gate_mode mode = z->device->mode;
	int err = enter(z, t);

	if (!err && mode == GATE_FIXED_CLONE)
		err = move_to_clone(z, t);
	if (err || mode == GATE_FIXED || mode == GATE_FIXED_KILL)
		return err;
	gate_device_commit(z->device, t, t->request->nr_sectors << SECTOR_SHIFT);
	t->state = TAG_HELD;
	t->committed = true;
	return check_in_flight(z->device);
}

int gate_zero_copy_move(struct gate_zero_copy *z, struct gate_tag *t, size_t bytes)
{
	bool read = ublksrv_get_op(t->request) == UBLK_IO_OP_READ;
	struct io_uring_sqe sqe = {};
	unsigned int index;
	int n;

	if (!t->ring) {
		n = enter(z, t);
		if (n)
			return n;
	}
	if (read && pwrite(z->file, t->buffer, bytes, 0) != (ssize_t)bytes)
		return why_set(EIO, "gate: cannot write to a memfd: %m");

	index = t->ring == &z->ring ? index_of(z, t) : 0;
	/* With a fixed buffer an address is an offset into it: here 0. */
	if (read)
		io_uring_prep_read_fixed(&sqe, z->file, NULL, bytes, 0, index);
	else
		io_uring_prep_write_fixed(&sqe, z->file, NULL, bytes, 0, index);
	n = run(z, t->ring, &sqe);
	if (n >= 0 && n != (int)bytes)
		return why_set(EIO, "gate: READ_FIXED or WRITE_FIXED moved less than all");
	return n < 0 ? ublk_failed(n, read ? "READ_FIXED" : "WRITE_FIXED") : 0;
}
