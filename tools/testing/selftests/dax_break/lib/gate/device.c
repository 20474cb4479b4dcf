// SPDX-License-Identifier: GPL-2.0
/*
 * The life of the gate's device: ADD_DEV, SET_PARAMS, START_DEV, DEL_DEV commands on
 * /dev/ublk-control.
 *
 * Commands that sleep are run by a kernel worker (io-wq), so requests are served
 * while one is under way. They have to be: START_DEV may read the partition table
 * from this server, and DEL_DEV waits for every request that was not yet answered.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gate/internal.h"
#include "testbed/ledger.h"
#include "why.h"

#define COMMAND_MS	(2 * DEADLINE_MS)

static void start_command(struct gate_server *s, unsigned int op, void *buf, size_t len,
			  __u64 data)
{
	struct io_uring_sqe *sqe = gate_sqe(s, EVENT_COMMAND, ++s->command);
	struct ublksrv_ctrl_cmd *cmd = (struct ublksrv_ctrl_cmd *)sqe->cmd;

	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = s->control;
	sqe->cmd_op = gate_opcode(s, op);
	cmd->dev_id = s->info.dev_id;
	cmd->queue_id = -1;
	cmd->addr = (uintptr_t)buf;
	cmd->len = len;
	cmd->data[0] = data;
	s->command_done = false;
}

/* Runs a control command to its end while serving. */
static int command(struct gate_server *s, unsigned int op, void *buf, size_t len, __u64 data)
{
	long deadline = deadline_in(COMMAND_MS);

	start_command(s, op, buf, len, data);
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

static int open_control(struct gate_server *s)
{
	s->control = open("/dev/ublk-control", O_RDWR | O_CLOEXEC);
	if (s->control < 0 && errno == ENOENT)
		return why_set(EOPNOTSUPP,
			       "no /dev/ublk-control: needs Linux 6.0 with CONFIG_BLK_DEV_UBLK (modprobe ublk_drv)");
	if (s->control < 0 && (errno == EACCES || errno == EPERM))
		return why_set(EOPNOTSUPP, "/dev/ublk-control: %m: needs root");
	return s->control < 0 ? why_set(errno, "gate: /dev/ublk-control: %m") : 0;
}

static int create(struct gate_server *s)
{
	int err, legacy_err;

	s->info = (struct ublksrv_ctrl_dev_info){
		.nr_hw_queues = GATE_QUEUES,
		.queue_depth = GATE_DEPTH,
		.max_io_buf_bytes = gate_slot_bytes(),
		.dev_id = -1,	/* any */
		/* Free for the server's use: whose it is, for gate_remove_devices_of(). */
		.ublksrv_flags = ledger_run(),
		.flags = s->mode == GATE_COPY ? 0 : UBLK_F_SUPPORT_ZERO_COPY,
	};
	err = command(s, UBLK_U_CMD_ADD_DEV, &s->info, sizeof(s->info), 0);
	if (refused(err)) {
		s->legacy = true;
		legacy_err = command(s, UBLK_U_CMD_ADD_DEV, &s->info, sizeof(s->info), 0);
		if (!refused(legacy_err))
			err = legacy_err;
	}
	if (err == -EPERM || err == -EACCES)
		return why_set(EOPNOTSUPP, "gate: cannot add a ublk device: needs root");
	if (err)
		return failed(err, "UBLK_U_CMD_ADD_DEV");
	s->added = true;
	/* The driver clears the flags that it does not know. */
	if (s->mode != GATE_COPY && !(s->info.flags & UBLK_F_SUPPORT_ZERO_COPY))
		return why_set(EOPNOTSUPP,
			       "no ublk zero copy: needs UBLK_F_SUPPORT_ZERO_COPY, Linux 6.15");
	/*
	 * Before c5c5eb24ed61 the driver ends the requests of a killed server first, and
	 * oopses when the ring drops them. Nothing tells but a flag of about that age.
	 */
	if (s->mode == GATE_FIXED_KILL && !(s->info.flags & UBLK_F_BUF_REG_OFF_DAEMON))
		return why_set(EOPNOTSUPP,
			       "killing a ublk server with fixed buffers crashes old kernels: needs c5c5eb24ed61 and UBLK_F_BUF_REG_OFF_DAEMON");
	snprintf(s->queues_path, sizeof(s->queues_path), "/dev/ublkc%u", s->info.dev_id);

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

/*
 * Submits the first FETCHes without CAP_SYS_ADMIN: START_DEV then leaves out the scan
 * for partitions (ublk_mark_io_ready(), from 6.3), which takes as long as all the rest.
 */
static void submit_unprivileged(struct gate_server *s)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct all[_LINUX_CAPABILITY_U32S_3];
	struct __user_cap_data_struct less[_LINUX_CAPABILITY_U32S_3];
	bool dropped = false;

	if (!syscall(SYS_capget, &header, all)) {
		memcpy(less, all, sizeof(less));
		less[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
		dropped = !syscall(SYS_capset, &header, less);
	}
	io_uring_submit(&s->ring);
	if (dropped)
		syscall(SYS_capset, &header, all);
}

/* Opens /dev/ublkcN, maps what the driver writes there, hands all tags to the driver. */
static int open_queues(struct gate_server *s)
{
	long deadline = deadline_in(DEADLINE_MS);
	size_t stride = page_align(UBLK_MAX_QUEUE_DEPTH * sizeof(struct ublksrv_io_desc));
	size_t bytes = page_align(GATE_DEPTH * sizeof(struct ublksrv_io_desc));
	unsigned int tags = s->info.nr_hw_queues * GATE_DEPTH;
	const struct ublksrv_io_desc *requests[GATE_QUEUES];
	const char *path = s->queues_path;
	char *buffers;

	/* With devtmpfs the node is already there, otherwise udev has to make it. */
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
		requests[queue] = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE,
				       s->queues, UBLKSRV_CMD_BUF_OFFSET + queue * stride);
		if (requests[queue] == MAP_FAILED)
			return why_set(errno, "gate: mmap of %s: %m", path);
	}

	for (unsigned int i = 0; i < tags; i++) {
		struct gate_tag *t = &s->tags[i];

		t->queue = i / GATE_DEPTH;
		t->tag = i % GATE_DEPTH;
		t->request = &requests[t->queue][t->tag];
		t->buffer = buffers + i * gate_slot_bytes();
		gate_fetch(s, t, UBLK_U_IO_FETCH_REQ, 0);
	}

	submit_unprivileged(s);
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

	err = open_control(s);
	if (!err)
		err = create(s);
	if (!err)
		err = open_queues(s);
	if (err)
		return err;
	err = command(s, UBLK_U_CMD_START_DEV, NULL, 0, getpid());
	return err ? failed(err, "UBLK_U_CMD_START_DEV") : 0;
}

int gate_remove_device(struct gate_server *s)
{
	long deadline = deadline_in(COMMAND_MS);
	int err;

	s->stopping = true;
	gate_abandon(s);
	if (!s->added)
		return 0;

	/*
	 * Stops the device, aborts the FETCHes and removes the nodes. What is left goes
	 * with the last file that is open on the device, ours or the test's.
	 */
	err = command(s, UBLK_U_CMD_DEL_DEV_ASYNC, NULL, 0, 0);
	if (!refused(err))
		return err ? failed(err, "UBLK_U_CMD_DEL_DEV_ASYNC") : 0;

	/*
	 * Before 6.9 there is only DEL_DEV, which does the same and then waits for that
	 * last file. We do not: our exit ends its wait, which may be interrupted.
	 */
	start_command(s, UBLK_U_CMD_DEL_DEV, NULL, 0, 0);
	while (!s->command_done && !access(s->queues_path, F_OK)) {
		if (deadline_over(deadline))
			return failed(-ETIMEDOUT, "UBLK_U_CMD_DEL_DEV");
		gate_pump(s, 1);
	}
	return 0;
}

/* For control commands about device @number, of whatever server. */
static int open_foreign(struct gate_server *s, unsigned int number)
{
	int err = open_control(s);

	if (err)
		return err;
	s->added = true;
	s->info.dev_id = number;
	snprintf(s->queues_path, sizeof(s->queues_path), "/dev/ublkc%u", number);
	err = io_uring_queue_init(4, &s->ring, IORING_SETUP_SQE128);
	if (!err)
		return 0;
	close(s->control);
	return failed(err, "io_uring_setup");
}

static void close_foreign(struct gate_server *s)
{
	io_uring_queue_exit(&s->ring);
	close(s->control);
}

int gate_remove_dead_device(unsigned int number)
{
	struct gate_server s = { 0 };
	int err = open_foreign(&s, number);

	if (err)
		return err;
	err = gate_remove_device(&s);
	close_foreign(&s);
	return err;
}

static int remove_if_of(unsigned int number, __u64 run)
{
	struct gate_server s = { 0 };
	struct ublksrv_ctrl_dev_info info = { 0 };
	int err = open_foreign(&s, number);

	if (err)
		return err;
	err = command(&s, UBLK_U_CMD_GET_DEV_INFO, &info, sizeof(info), 0);
	if (refused(err)) {
		s.legacy = true;
		err = command(&s, UBLK_U_CMD_GET_DEV_INFO, &info, sizeof(info), 0);
	}
	/* One that goes meanwhile, or does not let itself be asked, is none of ours. */
	err = !err && info.ublksrv_flags == run ? gate_remove_device(&s) : 0;
	close_foreign(&s);
	return err;
}

int gate_remove_devices_of(__u64 run)
{
	DIR *dev = run ? opendir("/dev") : NULL;
	struct dirent *entry;
	unsigned int number;
	int rc = 0;

	while (dev && (entry = readdir(dev)))
		if (sscanf(entry->d_name, "ublkc%u", &number) == 1)
			rc = remove_if_of(number, run) ?: rc;
	if (dev)
		closedir(dev);
	return rc;
}
