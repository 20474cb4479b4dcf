// SPDX-License-Identifier: GPL-2.0
/*
 * The life of the gate's device: ADD_DEV, SET_PARAMS, START_DEV, STOP_DEV, DEL_DEV
 * commands on /dev/ublk-control.
 *
 * Commands that sleep are run by a kernel worker (io-wq), so requests are served
 * while one is under way. They have to be: START_DEV may read the partition table
 * from this server, and STOP_DEV waits for every request it still has.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gate_internal.h"
#include "why.h"

#define COMMAND_MS	(2 * DEADLINE_MS)

/* Runs a control command to its end while serving. */
static int command(struct gate_server *s, unsigned int op, void *buf, size_t len, __u64 data)
{
	struct io_uring_sqe *sqe = gate_sqe(s, EVENT_COMMAND, ++s->command);
	struct ublksrv_ctrl_cmd *cmd = (struct ublksrv_ctrl_cmd *)sqe->cmd;
	long deadline = deadline_in(COMMAND_MS);

	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = s->control;
	sqe->cmd_op = gate_opcode(s, op);
	cmd->dev_id = s->info.dev_id;
	cmd->queue_id = -1;
	cmd->addr = (uintptr_t)buf;
	cmd->len = len;
	cmd->data[0] = data;

	s->command_done = false;
	while (!s->command_done) {
		if (deadline_over(deadline))
			return -ETIMEDOUT;
		gate_pump(s, deadline_left(deadline));
	}
	return s->command_result;
}

/* What kernels have said to a control command that they do not know. */
static bool refused(int err)
{
	return err == -EOPNOTSUPP || err == -EINVAL || err == -ENODEV;
}

static int failed(int err, const char *what)
{
	return why_set(-err, "gate: %s: %s", what, strerror(-err));
}

static int create(struct gate_server *s)
{
	int err;

	s->control = open("/dev/ublk-control", O_RDWR | O_CLOEXEC);
	if (s->control < 0 && errno == ENOENT)
		return why_set(EOPNOTSUPP,
			       "no /dev/ublk-control: needs Linux 6.0 with CONFIG_BLK_DEV_UBLK (modprobe ublk_drv)");
	if (s->control < 0 && (errno == EACCES || errno == EPERM))
		return why_set(EOPNOTSUPP, "/dev/ublk-control: %m: needs root");
	if (s->control < 0)
		return why_set(errno, "gate: /dev/ublk-control: %m");

	/*
	 * Any number will do for the device. Flags that the kernel does not know are
	 * ignored; not to scan for partitions saves time where it can be had (7.0).
	 */
	s->info = (struct ublksrv_ctrl_dev_info){
		.nr_hw_queues = GATE_QUEUES,
		.queue_depth = GATE_DEPTH,
		.max_io_buf_bytes = gate_slot_bytes(),
		.dev_id = -1,
		.flags = UBLK_F_NO_AUTO_PART_SCAN,
	};
	err = command(s, UBLK_U_CMD_ADD_DEV, &s->info, sizeof(s->info), 0);
	if (refused(err)) {
		s->legacy = true;
		err = command(s, UBLK_U_CMD_ADD_DEV, &s->info, sizeof(s->info), 0);
	}
	if (err == -EPERM || err == -EACCES)
		return why_set(EOPNOTSUPP, "gate: cannot add a ublk device: needs root");
	if (err)
		return failed(err, "UBLK_U_CMD_ADD_DEV");
	s->added = true;

	s->params = (struct ublk_params){
		.len = sizeof(s->params),
		.types = UBLK_PARAM_TYPE_BASIC,
		.basic = {
			.logical_bs_shift = SECTOR_SHIFT,
			.physical_bs_shift = SECTOR_SHIFT,
			.io_opt_shift = SECTOR_SHIFT,
			.io_min_shift = SECTOR_SHIFT,
			.max_sectors = gate_slot_bytes() >> SECTOR_SHIFT,
			.dev_sectors = GATE_DEVICE_BYTES >> SECTOR_SHIFT,
		},
	};
	err = command(s, UBLK_U_CMD_SET_PARAMS, &s->params, sizeof(s->params), 0);
	return err ? failed(err, "UBLK_U_CMD_SET_PARAMS") : 0;
}

static size_t page_align(size_t bytes)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) & ~(page - 1);
}

static size_t requests_bytes(void)
{
	return page_align(GATE_DEPTH * sizeof(struct ublksrv_io_desc));
}

/* Opens /dev/ublkcN and hands all tags to the driver. */
static int open_queues(struct gate_server *s)
{
	long deadline = deadline_in(DEADLINE_MS);
	size_t stride = page_align(UBLK_MAX_QUEUE_DEPTH * sizeof(struct ublksrv_io_desc));
	unsigned int tags = s->info.nr_hw_queues * GATE_DEPTH;
	char path[32];
	char *buffers;

	/* With devtmpfs the node is already there, otherwise udev has to make it. */
	snprintf(path, sizeof(path), "/dev/ublkc%u", s->info.dev_id);
	while ((s->queues = open(path, O_RDWR | O_CLOEXEC)) < 0) {
		if (errno != ENOENT || deadline_over(deadline))
			return why_set(errno, "gate: %s: %m", path);
		deadline_pause();
	}

	buffers = mmap(NULL, tags * gate_slot_bytes(), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffers == MAP_FAILED)
		return why_set(errno, "gate: mmap of buffers: %m");

	for (unsigned int queue = 0; queue < s->info.nr_hw_queues; queue++) {
		void *requests = mmap(NULL, requests_bytes(), PROT_READ,
				      MAP_SHARED | MAP_POPULATE, s->queues,
				      UBLKSRV_CMD_BUF_OFFSET + queue * stride);

		if (requests == MAP_FAILED)
			return why_set(errno, "gate: mmap of %s: %m", path);
		s->requests[queue] = requests;
	}

	for (unsigned int i = 0; i < tags; i++) {
		struct gate_tag *t = &s->tags[i];
		const struct ublksrv_io_desc *requests;

		t->queue = i / GATE_DEPTH;
		t->tag = i % GATE_DEPTH;
		requests = s->requests[t->queue];
		t->request = &requests[t->tag];
		t->buffer = buffers + i * gate_slot_bytes();
		gate_fetch(s, t, UBLK_U_IO_FETCH_REQ, 0);
	}

	/* A refusal is known at once, and START_DEV would wait for ever for that tag. */
	gate_pump(s, 0);
	for (unsigned int i = 0; i < tags; i++)
		if (s->tags[i].state == TAG_UNUSED)
			return why_set(EIO, "gate: the kernel refuses UBLK_U_IO_FETCH_REQ");
	return 0;
}

int gate_add_device(struct gate_server *s)
{
	int err;

	err = create(s);
	if (!err)
		err = open_queues(s);
	if (err)
		return err;
	err = command(s, UBLK_U_CMD_START_DEV, NULL, 0, getpid());
	return err ? failed(err, "UBLK_U_CMD_START_DEV") : 0;
}

/*
 * Before 6.9 the device has to be stopped and /dev/ublkcN closed, which every
 * FETCH not yet aborted and the mappings keep open, and then DEL_DEV waits for
 * the last user of /dev/ublkbN.
 */
static int delete_and_wait(struct gate_server *s)
{
	long deadline = deadline_in(DEADLINE_MS);
	int err;

	err = command(s, UBLK_U_CMD_STOP_DEV, NULL, 0, 0);
	if (err)
		return failed(err, "UBLK_U_CMD_STOP_DEV");

	for (struct gate_tag *t = s->tags; t < s->tags + GATE_TAGS; t++)
		while (t->state != TAG_UNUSED && !deadline_over(deadline))
			gate_pump(s, deadline_left(deadline));
	for (unsigned int queue = 0; queue < GATE_QUEUES; queue++)
		if (s->requests[queue])
			munmap(s->requests[queue], requests_bytes());
	if (s->queues >= 0)
		close(s->queues);

	err = command(s, UBLK_U_CMD_DEL_DEV, NULL, 0, 0);
	return err ? failed(err, "UBLK_U_CMD_DEL_DEV") : 0;
}

int gate_remove_device(struct gate_server *s)
{
	int err;

	s->stopping = true;
	for (struct gate_tag *t = s->tags; t < s->tags + GATE_TAGS; t++)
		if (t->state == TAG_HELD)
			gate_complete(s, t, -EIO);
	if (!s->added)
		return 0;

	/*
	 * Stops the device, removes its nodes, and leaves the rest (RCU grace periods,
	 * files that are still open) to whoever holds the last reference.
	 */
	err = command(s, UBLK_U_CMD_DEL_DEV_ASYNC, NULL, 0, 0);
	if (refused(err))
		return delete_and_wait(s);
	return err ? failed(err, "UBLK_U_CMD_DEL_DEV_ASYNC") : 0;
}
