// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that the server of a ublk device shares with it: ublk_ctrl_reg_buf(),
 * drivers/block/ublk_drv.c. The device need not be started. The kernel may pin to
 * read only, which nothing else in the table but gup_test does.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/ublk_cmd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "longterm.h"
#include "why.h"

#define COMMAND_MS	DEADLINE_MS

/* Linux 6.1, whose headers are to do, had none of this. */
#define ADD_DEV		_IOWR('u', 0x04, struct ublksrv_ctrl_cmd)
#define DEL_DEV		_IOWR('u', 0x05, struct ublksrv_ctrl_cmd)
#define GET_FEATURES	_IOR('u', 0x13, struct ublksrv_ctrl_cmd)
#define REG_BUF		_IOWR('u', 0x18, struct ublksrv_ctrl_cmd)

#define FEATURE_SHMEM_ZC	0x80000ULL
#define REG_BUF_READ_ONLY	1

struct reg_buf {		/* struct ublk_shmem_buf_reg */
	__u64 addr;
	__u64 len;
	__u32 flags;
	__u32 reserved;
};

struct ublk {
	struct io_uring ring;
	bool added;
	struct ublksrv_ctrl_dev_info info;
};

/* Runs a control command; what the kernel says to it. */
static int command(struct longterm *longterm, unsigned int op, void *buf, size_t len)
{
	struct __kernel_timespec ts = { .tv_sec = COMMAND_MS / 1000 };
	struct ublk *ublk = longterm->priv;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ublk->ring);
	struct io_uring_cqe *cqe;
	struct ublksrv_ctrl_cmd *cmd;
	int rc;

	if (!sqe)
		return -EBUSY;
	memset(sqe, 0, 2 * sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = longterm->fd;
	sqe->cmd_op = op;
	cmd = (struct ublksrv_ctrl_cmd *)sqe->cmd;
	cmd->dev_id = ublk->info.dev_id;
	cmd->queue_id = -1;
	cmd->addr = (uintptr_t)buf;
	cmd->len = len;
	rc = io_uring_submit(&ublk->ring);
	if (rc < 0)
		return rc;
	rc = io_uring_wait_cqe_timeout(&ublk->ring, &cqe, &ts);
	if (rc)
		return rc;
	rc = cqe->res;
	io_uring_cqe_seen(&ublk->ring, cqe);
	return rc;
}

static int add_device(struct longterm *longterm)
{
	struct ublk *ublk = longterm->priv;
	__u64 features = 0;
	int rc;

	rc = command(longterm, GET_FEATURES, &features, sizeof(features));
	if (rc == -EPERM || rc == -EACCES)
		return why_set(EOPNOTSUPP, "cannot use /dev/ublk-control: needs root");
	if (rc || !(features & FEATURE_SHMEM_ZC))
		return why_set(EOPNOTSUPP, "the kernel cannot do %s: needs %s",
			       longterm->request->what, longterm->request->needs);
	ublk->info.nr_hw_queues = 1;
	ublk->info.queue_depth = 1;
	ublk->info.max_io_buf_bytes = sysconf(_SC_PAGESIZE);
	ublk->info.flags = FEATURE_SHMEM_ZC;
	rc = command(longterm, ADD_DEV, &ublk->info, sizeof(ublk->info));
	if (rc)
		return why_set(-rc, "cannot add a ublk device: %s", strerror(-rc));
	ublk->added = true;
	return 0;
}

static int open_device(struct longterm *longterm)
{
	struct ublk *ublk;
	int rc;

	longterm->fd = open("/dev/ublk-control", O_RDWR | O_CLOEXEC);
	if (longterm->fd < 0)
		return why_set(EOPNOTSUPP,
			       "/dev/ublk-control: %s: CONFIG_BLK_DEV_UBLK (modprobe ublk_drv), root",
			       strerror(errno));
	ublk = calloc(1, sizeof(*ublk));
	if (!ublk)
		return why_set(ENOMEM, "no memory");
	ublk->info.dev_id = -1;		/* any */
	rc = io_uring_queue_init(4, &ublk->ring, IORING_SETUP_SQE128);
	if (rc) {
		free(ublk);
		return why_set(EOPNOTSUPP,
			       "no io_uring with 128 byte SQEs (Linux 5.19, kernel.io_uring_disabled=0): %s",
			       strerror(-rc));
	}
	longterm->priv = ublk;
	return add_device(longterm);
}

static void close_device(struct longterm *longterm)
{
	struct ublk *ublk = longterm->priv;

	if (ublk) {
		if (ublk->added)
			command(longterm, DEL_DEV, NULL, 0);
		io_uring_queue_exit(&ublk->ring);
		free(ublk);
	}
	longterm->priv = NULL;
	longterm_close_fd(longterm);
}

static int reg_buf(struct longterm *longterm, void *addr, __u32 flags)
{
	struct reg_buf buf = {
		.addr = (uintptr_t)addr,
		.len = longterm->len,
		.flags = flags,
	};
	int index = command(longterm, REG_BUF, &buf, sizeof(buf));

	return index < 0 ? index : 0;
}

static int ask_write(struct longterm *longterm, void *addr)
{
	return reg_buf(longterm, addr, 0);
}

static int ask_read(struct longterm *longterm, void *addr)
{
	return reg_buf(longterm, addr, REG_BUF_READ_ONLY);
}

const struct longterm_request longterm_ublk[] = {
	{
		.name = "ublk_memory",
		.what = "memory shared with a ublk device",
		.needs = "UBLK_F_SHMEM_ZC",
		.partial = -EFAULT,
		.open = open_device,
		.ask = ask_write,
		.close = close_device,
	}, {
		.name = "ublk_memory_read_only",
		.what = "memory shared with a ublk device for reading",
		.needs = "UBLK_F_SHMEM_ZC",
		.partial = -EFAULT,
		.open = open_device,
		.ask = ask_read,
		.close = close_device,
	},
	{ 0 }
};
