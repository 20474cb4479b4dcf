/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Device: the ublk device of a gate, seen from its server. It is made of tags, each of
 * which carries one request at a time: a FETCH hands the tag to the driver, it comes
 * back with a request (ublk.handle(), with the index of the tag as the number), and a
 * COMMIT_AND_FETCH completes that request and hands the tag to the driver again.
 *
 * Requests that are held lie in slots, in the middle of the device, because programs that
 * look for a partition table or a superblock read near its ends.
 */
#ifndef DAX_BREAK_GATE_DEVICE_H
#define DAX_BREAK_GATE_DEVICE_H

#include <liburing.h>
#include <linux/ublk_cmd.h>
#include <stdbool.h>

#include "gate/gate.h"
#include "gate/ublk.h"

#define SECTOR_SHIFT	9

/* What gate_slot_at() returns for the rest of the device. */
#define NO_SLOT		GATE_SLOTS

/*
 * A device with a single queue gets an I/O scheduler (block/elevator.c), which we
 * do not need and whose setup and removal cost an RCU grace period or two each.
 */
#define GATE_QUEUES	2
/* Even with all slots held in one queue, programs that probe the device are served. */
#define GATE_DEPTH	(GATE_SLOTS + 16)
#define GATE_TAGS	(GATE_QUEUES * GATE_DEPTH)

struct gate_tag {
	enum { TAG_UNUSED, TAG_FETCHING, TAG_HELD } state;
	unsigned int queue;
	unsigned int tag;	/* in its queue */
	const struct ublksrv_io_desc *request;	/* written by the kernel */
	char *buffer;		/* gate_slot_bytes() of ours */
	unsigned int slot;	/* that the request is for */
	unsigned long arrival;	/* orders the requests of one slot */
	struct io_uring *ring;	/* whose buffer table has its pages, or NULL: zero_copy.h */
	struct io_uring clone;	/* GATE_FIXED_CLONE's second ring */
	bool committed;		/* completed while held: that buffer keeps it from ending */
};

struct gate_device {
	struct ublk ublk;
	enum gate_mode mode;
	int queues;		/* ublk.queues_path */
	struct ublk_params params;
	struct gate_tag tags[GATE_TAGS];
};

/* The size of a slot, and of the largest request that the device takes, in bytes. */
size_t gate_slot_bytes(void);

/* The slot that @offset, in bytes, lies in. */
unsigned int gate_slot_at(__u64 offset);

/*
 * Adds and starts the device, whose ublk is open. Its requests are served meanwhile, since
 * START_DEV may read the partition table from us: ublk.handle() has to be set by now.
 */
int gate_device_add(struct gate_device *device);

/*
 * Completes the request of @t with @result, bytes or a negative errno, and hands the
 * tag to the driver again. If the driver copies the data, it has done so on return.
 */
void gate_device_commit(struct gate_device *device, struct gate_tag *t, int result);

#endif
