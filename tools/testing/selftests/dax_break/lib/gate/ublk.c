// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/run.h"
#include "deadline.h"
#include "finding.h"
#include "gate/ublk.h"

/* How long a command may take, maybe under an emulator. */
#define COMMAND_MS	(2 * DEADLINE_MS)
/* In an SQE's user_data, beside its number: it is a command of ublk_command(). */
#define COMMAND		0x100000000ULL

static int open_control(struct ublk *ublk)
{
	ublk->control = open("/dev/ublk-control", O_RDWR | O_CLOEXEC);
	if (ublk->control >= 0)
		return 0;
	if (errno == ENOENT)
		return why_set(EOPNOTSUPP,
			       "no /dev/ublk-control: needs Linux 6.0 with CONFIG_BLK_DEV_UBLK (modprobe ublk_drv)");
	if (errno == EACCES || errno == EPERM)
		return why_set(EOPNOTSUPP, "/dev/ublk-control: %m: needs root");
	return why_set(errno, "ublk: /dev/ublk-control: %m");
}

int ublk_open(struct ublk *ublk, unsigned int entries)
{
	int err;

	memset(ublk, 0, sizeof(*ublk));
	err = open_control(ublk);
	if (err)
		return err;
	ublk->ring = calloc(1, sizeof(*ublk->ring));
	err = ublk->ring ? io_uring_queue_init(entries, ublk->ring, IORING_SETUP_SQE128) : -ENOMEM;
	if (!err)
		return 0;
	free(ublk->ring);
	close(ublk->control);
	return why_set(EOPNOTSUPP,
		       "no io_uring with 128 byte SQEs (Linux 5.19, kernel.io_uring_disabled=0): %s",
		       strerror(-err));
}

void ublk_close(struct ublk *ublk)
{
	io_uring_queue_exit(ublk->ring);
	free(ublk->ring);
	close(ublk->control);
}

void ublk_pump(struct ublk *ublk, long ms)
{
	struct __kernel_timespec ts = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000,
	};
	struct io_uring_cqe *cqe;

	io_uring_submit(ublk->ring);
	if (io_uring_wait_cqe_timeout(ublk->ring, &cqe, &ts))
		return;
	while (!io_uring_peek_cqe(ublk->ring, &cqe)) {
		__u64 data = cqe->user_data;
		int result = cqe->res;

		io_uring_cqe_seen(ublk->ring, cqe);
		if (data == (COMMAND | ublk->command)) {
			ublk->done = true;
			ublk->result = result;
		} else if (!(data & COMMAND)) {
			ublk->handle(ublk->context, data, result);
		}
		/* Otherwise it is the end of a command that was given up. */
	}
}

void *ublk_prepare(struct ublk *ublk, int fd, unsigned int op, __u64 number)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ublk->ring);

	/* Cannot happen: the ring has room for all, and nothing is left unsubmitted. */
	if (!sqe)
		abort();
	memset(sqe, 0, 2 * sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	/* Before 6.4 without ioctl encoding. */
	sqe->cmd_op = ublk->legacy ? _IOC_NR(op) : op;
	sqe->user_data = number;
	return sqe->cmd;
}

static void start_command(struct ublk *ublk, unsigned int op, void *buf, size_t len, __u64 data)
{
	struct ublksrv_ctrl_cmd *cmd = ublk_prepare(ublk, ublk->control, op,
						    COMMAND | ++ublk->command);

	cmd->dev_id = ublk->info.dev_id;
	cmd->queue_id = -1;
	cmd->addr = (uintptr_t)buf;
	cmd->len = len;
	cmd->data[0] = data;
	ublk->done = false;
}

static int run_command(struct ublk *ublk, unsigned int op, void *buf, size_t len, __u64 data)
{
	long deadline = deadline_in(COMMAND_MS);

	start_command(ublk, op, buf, len, data);
	while (!ublk->done) {
		if (deadline_over(deadline))
			return -ETIMEDOUT;
		ublk_pump(ublk, deadline_left(deadline));
	}
	return ublk->result;
}

/* Is @err what kernels say to a command that they do not know? */
static bool is_unknown(int err)
{
	return err == -EOPNOTSUPP || err == -EINVAL || err == -ENODEV;
}

int ublk_command(struct ublk *ublk, unsigned int op, void *buf, size_t len, __u64 data)
{
	int err = run_command(ublk, op, buf, len, data);
	int legacy_err;

	if (!is_unknown(err))
		ublk->known = true;
	if (ublk->known)
		return err;

	/* Maybe the kernel knows the command, and not how it is encoded. */
	ublk->legacy = true;
	legacy_err = run_command(ublk, op, buf, len, data);
	ublk->known = !is_unknown(legacy_err);
	ublk->legacy = ublk->known;
	return ublk->known ? legacy_err : err;
}

int ublk_failed(int err, const char *what)
{
	return err ? why_set(-err, "ublk: %s: %s", what, strerror(-err)) : 0;
}

/* Makes device @number, which may be anybody's, the one that commands are about. */
static void attach(struct ublk *ublk, unsigned int number)
{
	ublk->info.dev_id = number;
	snprintf(ublk->queues_path, sizeof(ublk->queues_path), "/dev/ublkc%u", number);
	ublk->attached = true;
}

int ublk_add(struct ublk *ublk)
{
	int err;

	ublk->info.dev_id = -1;		/* any */
	/* Ours to use: tells ublk_remove_dead() whose device it is. */
	ublk->info.ublksrv_flags = run_token();
	err = ublk_command(ublk, UBLK_U_CMD_ADD_DEV, &ublk->info, sizeof(ublk->info), 0);
	if (err == -EPERM || err == -EACCES)
		return why_set(EOPNOTSUPP, "cannot add a ublk device: needs root");
	if (err)
		return ublk_failed(err, "UBLK_U_CMD_ADD_DEV");
	attach(ublk, ublk->info.dev_id);
	return 0;
}

int ublk_remove(struct ublk *ublk)
{
	long deadline = deadline_in(COMMAND_MS);
	int err;

	if (!ublk->attached)
		return 0;
	ublk->attached = false;
	err = ublk_command(ublk, UBLK_U_CMD_DEL_DEV_ASYNC, NULL, 0, 0);
	if (!is_unknown(err))
		return ublk_failed(err, "UBLK_U_CMD_DEL_DEV_ASYNC");

	/*
	 * Before 6.9 there is only DEL_DEV, which does the same and then waits until
	 * the last file that is open on the device, ours or the test's, is closed. We
	 * do not wait for that: closing the ring ends its wait, which is interruptible.
	 */
	start_command(ublk, UBLK_U_CMD_DEL_DEV, NULL, 0, 0);
	while (!ublk->done && !access(ublk->queues_path, F_OK)) {
		if (deadline_over(deadline))
			return ublk_failed(-ETIMEDOUT, "UBLK_U_CMD_DEL_DEV");
		ublk_pump(ublk, 1);
	}
	return 0;
}

int ublk_remove_dead(unsigned int number, __u64 run)
{
	struct ublk ublk;
	int err = ublk_open(&ublk, 4);

	if (err)
		return err;
	attach(&ublk, number);
	err = ublk_command(&ublk, UBLK_U_CMD_GET_DEV_INFO, &ublk.info, sizeof(ublk.info), 0);
	/* A device that goes meanwhile, or about which we may not ask, is not ours. */
	err = !err && ublk.info.ublksrv_flags == run ? ublk_remove(&ublk) : 0;
	ublk_close(&ublk);
	return err;
}
