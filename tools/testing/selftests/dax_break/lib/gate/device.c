// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "deadline.h"
#include "finding.h"
#include "gate/device.h"

#define DEVICE_BYTES	(64UL << 20)
#define FIRST_SLOT	(DEVICE_BYTES / 2)
#define LEAST_BYTES	(64UL << 10)

size_t gate_slot_bytes(void)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return page > LEAST_BYTES ? page : LEAST_BYTES;
}

/* From the beginning of a slot to that of the next one. */
static size_t stride(void)
{
	return 2 * gate_slot_bytes();
}

unsigned int gate_slot_at(__u64 offset)
{
	if (offset < FIRST_SLOT || offset >= FIRST_SLOT + GATE_SLOTS * stride())
		return NO_SLOT;
	offset -= FIRST_SLOT;
	return offset % stride() < gate_slot_bytes() ? offset / stride() : NO_SLOT;
}

off_t gate_slot_offset(const struct gate *gate, unsigned int slot)
{
	return FIRST_SLOT + slot * stride();
}

unsigned char gate_pattern(unsigned int slot)
{
	return '@' + slot % GATE_SLOTS;
}

static int add(struct gate_device *device)
{
	bool zero_copy = device->mode != GATE_COPY;
	struct ublk *ublk = &device->ublk;
	int err;

	ublk->info = (struct ublksrv_ctrl_dev_info){
		.nr_hw_queues = GATE_QUEUES,
		.queue_depth = GATE_DEPTH,
		.max_io_buf_bytes = gate_slot_bytes(),
		.flags = zero_copy ? UBLK_F_SUPPORT_ZERO_COPY : 0,
	};
	err = ublk_add(ublk);
	if (err)
		return err;
	/* The driver has cleared the flags that it does not know. */
	if (zero_copy && !(ublk->info.flags & UBLK_F_SUPPORT_ZERO_COPY))
		return why_set(EOPNOTSUPP,
			       "no ublk zero copy: needs UBLK_F_SUPPORT_ZERO_COPY, Linux 6.15");
	/*
	 * Before c5c5eb24ed61 the driver ends the requests of a killed server first, and
	 * oopses when the ring drops them. Nothing tells but a flag of about that age.
	 */
	if (device->mode == GATE_FIXED_KILL && !(ublk->info.flags & UBLK_F_BUF_REG_OFF_DAEMON))
		return why_set(EOPNOTSUPP,
			       "killing a ublk server with fixed buffers crashes old kernels: needs c5c5eb24ed61 and UBLK_F_BUF_REG_OFF_DAEMON");
	return 0;
}

static int set_params(struct gate_device *device)
{
	int err;

	device->params = (struct ublk_params){
		.len = sizeof(device->params),
		.types = UBLK_PARAM_TYPE_BASIC,
		.basic = {
			.logical_bs_shift = SECTOR_SHIFT,
			.physical_bs_shift = SECTOR_SHIFT,
			.io_opt_shift = SECTOR_SHIFT,
			.io_min_shift = SECTOR_SHIFT,
			.max_sectors = gate_slot_bytes() >> SECTOR_SHIFT,
			.dev_sectors = DEVICE_BYTES >> SECTOR_SHIFT,
		},
	};
	err = ublk_command(&device->ublk, UBLK_U_CMD_SET_PARAMS, &device->params,
			   sizeof(device->params), 0);
	return ublk_failed(err, "UBLK_U_CMD_SET_PARAMS");
}

static size_t page_align(size_t bytes)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) & ~(page - 1);
}

static int open_queues(struct gate_device *device)
{
	const char *path = device->ublk.queues_path;
	long deadline = deadline_in(DEADLINE_MS);

	/* With devtmpfs the node is already there, otherwise udev has to make it. */
	while ((device->queues = open(path, O_RDWR | O_CLOEXEC)) < 0) {
		if (errno != ENOENT || deadline_over(deadline))
			return why_set(errno, "gate: %s: %m", path);
		deadline_pause();
	}
	return 0;
}

/* Maps where the driver describes requests, and memory of ours for their data. */
static int map_tags(struct gate_device *device)
{
	size_t stride = page_align(UBLK_MAX_QUEUE_DEPTH * sizeof(struct ublksrv_io_desc));
	size_t bytes = page_align(GATE_DEPTH * sizeof(struct ublksrv_io_desc));
	struct gate_tag *t = device->tags;
	const struct ublksrv_io_desc *requests;
	char *buffers;

	buffers = mmap(NULL, GATE_TAGS * gate_slot_bytes(), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffers == MAP_FAILED)
		return why_set(errno, "gate: mmap of buffers: %m");

	for (unsigned int queue = 0; queue < device->ublk.info.nr_hw_queues; queue++) {
		requests = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE,
				device->queues, UBLKSRV_CMD_BUF_OFFSET + queue * stride);
		if (requests == MAP_FAILED)
			return why_set(errno, "gate: mmap of %s: %m", device->ublk.queues_path);
		for (unsigned int tag = 0; tag < GATE_DEPTH; tag++, t++) {
			t->queue = queue;
			t->tag = tag;
			t->request = &requests[tag];
			t->buffer = buffers + (t - device->tags) * gate_slot_bytes();
		}
	}
	return 0;
}

/* @op is UBLK_U_IO_FETCH_REQ, or COMMIT_AND_FETCH_REQ with the @result of the request. */
static void fetch(struct gate_device *device, struct gate_tag *t, unsigned int op, int result)
{
	struct ublksrv_io_cmd *cmd = ublk_prepare(&device->ublk, device->queues, op,
						  t - device->tags);

	cmd->q_id = t->queue;
	cmd->tag = t->tag;
	cmd->result = result;
	/* With zero copy a request has no memory of ours. */
	cmd->addr = device->mode == GATE_COPY ? (uintptr_t)t->buffer : 0;
	t->state = TAG_FETCHING;
}

void gate_device_commit(struct gate_device *device, struct gate_tag *t, int result)
{
	fetch(device, t, UBLK_U_IO_COMMIT_AND_FETCH_REQ, result);
	/* The driver copies the data and ends the request before this returns. */
	io_uring_submit(device->ublk.ring);
}

/*
 * Submits the first FETCHes without CAP_SYS_ADMIN: START_DEV then leaves out the scan
 * for partitions (ublk_mark_io_ready(), from 6.3), which takes as long as all the rest.
 */
static void submit_unprivileged(struct io_uring *ring)
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
	io_uring_submit(ring);
	if (dropped)
		syscall(SYS_capset, &header, all);
}

/* Hands all tags that the device has, maybe of fewer queues than asked for, to the driver. */
static int fetch_all(struct gate_device *device)
{
	struct gate_tag *end = device->tags + device->ublk.info.nr_hw_queues * GATE_DEPTH;

	for (struct gate_tag *t = device->tags; t < end; t++)
		fetch(device, t, UBLK_U_IO_FETCH_REQ, 0);
	submit_unprivileged(device->ublk.ring);
	/* A refusal is known at once, and START_DEV would wait for ever for that tag. */
	ublk_pump(&device->ublk, 0);
	for (struct gate_tag *t = device->tags; t < end; t++)
		if (t->state == TAG_UNUSED)
			return why_set(EIO, "gate: the kernel refuses UBLK_U_IO_FETCH_REQ");
	return 0;
}

int gate_device_add(struct gate_device *device)
{
	int err;

	err = add(device) ?: set_params(device) ?: open_queues(device) ?: map_tags(device) ?:
	      fetch_all(device);
	if (err)
		return err;
	err = ublk_command(&device->ublk, UBLK_U_CMD_START_DEV, NULL, 0, getpid());
	return ublk_failed(err, "UBLK_U_CMD_START_DEV");
}
