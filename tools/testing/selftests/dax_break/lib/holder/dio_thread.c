// SPDX-License-Identifier: GPL-2.0
/*
 * Direct I/O by pread(2) and pwrite(2), each in a thread that sleeps in the call. The
 * kernel drops the page before the call returns (block/fops.c:
 * __blkdev_direct_IO_simple()).
 */
#include <unistd.h>

#include "base/rows.h"
#include "call.h"
#include "holder.h"
#include "holder/dio.h"

/* There is no queue: each request has a thread. */
static int thread_open(void **queue, unsigned int depth)
{
	return 0;
}

static ssize_t transfer(void *arg)
{
	const struct dio_request *req = arg;

	if (req->write)
		return pwrite(req->fd, req->addr, req->len, req->offset);
	return pread(req->fd, req->addr, req->len, req->offset);
}

static int thread_start(void *queue, struct dio_request *req)
{
	return call_start(&req->call, "an O_DIRECT request", transfer, req);
}

static int thread_wait(void *queue, struct dio_request *req)
{
	int rc = call_end(&req->call);

	req->running = rc;
	req->result = req->call.result;
	return rc;
}

static void thread_close(void *queue)
{
}

const struct dio_way dio_thread = {
	.open = thread_open,
	.start = thread_start,
	.wait = thread_wait,
	.close = thread_close,
};

static int dio_thread_open(struct holder *holder)
{
	return dio_open(holder, &dio_thread, GATE_COPY);
}

ROW(holders, struct holder_ops, dio_read) = {
	.name = "dio_read",
	.what = "an O_DIRECT read",
	.flags = HOLDER_DEVICE_FIRST | HOLDER_BATCH | HOLDER_PROMPT,
	DIO_HOLDER(dio_thread_open),
	.fills = dio_fills,
};

ROW(holders, struct holder_ops, dio_write) = {
	.name = "dio_write",
	.what = "an O_DIRECT write",
	.flags = HOLDER_BATCH | HOLDER_PROMPT,
	DIO_HOLDER(dio_thread_open),
};
