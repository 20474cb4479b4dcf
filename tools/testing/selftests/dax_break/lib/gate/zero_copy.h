/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Zero copy: requests whose pages are fixed buffers of a ring.
 *
 * REGISTER_IO_BUF enters the pages of a request, which are the submitter's (pinned)
 * pages, in the buffer table of the ring that it is issued on
 * (io_uring/rsrc.c: io_buffer_register_request()). The table has a reference not to the
 * pages but to the request: completed or not, it does not end before the last table has
 * dropped them (drivers/block/ublk_drv.c: ublk_io_release()).
 *
 * The table is not that of the ring which serves the device. A tag whose request has not
 * ended has a FETCH that cannot be cancelled (ublk_cancel_cmd()), and the kernel tears a
 * ring down by cancelling first and emptying the table last: with both on one ring, a
 * server killed in that state might never let go.
 */
#ifndef DAX_BREAK_GATE_ZERO_COPY_H
#define DAX_BREAK_GATE_ZERO_COPY_H

#include <liburing.h>
#include <stddef.h>

#include "gate/device.h"

struct gate_zero_copy {
	struct gate_device *device;
	struct io_uring ring;	/* one operation at a time; a tag's index is its buffer's */
	int file;		/* that data comes from and goes to */
	__u64 number;		/* of the last operation */
};

/* Makes the ring, before the device is added. Needed by all modes but GATE_COPY. */
int gate_zero_copy_open(struct gate_zero_copy *z, struct gate_device *device);

/* Holds the request of @t in the way of the device's mode. */
int gate_zero_copy_hold(struct gate_zero_copy *z, struct gate_tag *t);

/*
 * Moves the @bytes that the request of @t is about: from t->buffer to its pages if it
 * reads, from its pages to a file if it writes.
 */
int gate_zero_copy_move(struct gate_zero_copy *z, struct gate_tag *t, size_t bytes);

/*
 * Takes the pages of @t out of the table that they are in, if any. A request that was
 * committed ends by that.
 */
int gate_zero_copy_drop(struct gate_zero_copy *z, struct gate_tag *t);

#endif
