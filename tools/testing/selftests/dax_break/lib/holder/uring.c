// SPDX-License-Identifier: GPL-2.0
/*
 * O_DIRECT to a ublk device whose server has the pages as a fixed buffer of io_uring's
 * (gate.h), and reads a file into it, or writes it to one, at the end. The submitter's pin
 * lasts as long as that buffer does (drivers/block/ublk_drv.c: ublk_io_release()), whether
 * or not the server has completed the request.
 */
#include "base/rows.h"
#include "holder.h"
#include "holder/dio.h"

static int fixed_open(struct holder *holder)
{
	return dio_open(holder, &dio_thread, GATE_FIXED);
}

static int fixed_commit_open(struct holder *holder)
{
	return dio_open(holder, &dio_thread, GATE_FIXED_COMMIT);
}

static int fixed_clone_open(struct holder *holder)
{
	return dio_open(holder, &dio_thread, GATE_FIXED_CLONE);
}

ROW(holders, struct holder_ops, fixed_read) = {
	.name = "fixed_read",
	.what = "an O_DIRECT read served by READ_FIXED",
	.flags = HOLDER_BATCH,
	DIO_HOLDER(fixed_open),
	.fills = dio_fills,
};

ROW(holders, struct holder_ops, fixed_write) = {
	.name = "fixed_write",
	.what = "an O_DIRECT write served by WRITE_FIXED",
	DIO_HOLDER(fixed_open),
};

ROW(holders, struct holder_ops, fixed_commit) = {
	.name = "fixed_commit",
	.what = "a fixed buffer, its ublk request completed",
	.flags = HOLDER_BATCH,
	DIO_HOLDER(fixed_commit_open),
	.fills = dio_fills,
};

ROW(holders, struct holder_ops, fixed_clone) = {
	.name = "fixed_clone",
	.what = "a clone of a fixed buffer, its ublk request completed",
	DIO_HOLDER(fixed_clone_open),
	.fills = dio_fills,
};

/*
 * O_DIRECT by io_uring (dio_uring.c). As with AIO, the page may still be held for a
 * moment after the completion has been seen (dio_aio.c).
 */
static int uring_open(struct holder *holder)
{
	return dio_open(holder, &dio_uring, GATE_COPY);
}

ROW(holders, struct holder_ops, uring_read) = {
	.name = "uring_read",
	.what = "an O_DIRECT read by io_uring",
	DIO_HOLDER(uring_open),
	.fills = dio_fills,
};

ROW(holders, struct holder_ops, uring_write) = {
	.name = "uring_write",
	.what = "an O_DIRECT write by io_uring",
	.flags = HOLDER_BATCH,
	DIO_HOLDER(uring_open),
};
