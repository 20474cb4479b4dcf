// SPDX-License-Identifier: GPL-2.0
/*
 * Direct I/O by the kernel's native AIO, without libaio: io_submit(2), fs/aio.c.
 *
 * The page may still be held for a moment after the completion has been seen, since the
 * kernel drops it after it has told the submitter (block/fops.c:
 * blkdev_bio_end_io_async()). After a read a worker drops it, because a DAX page is never
 * dirty (block/bio.c: bio_check_pages_dirty()).
 */
#include <errno.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/rows.h"
#include "deadline.h"
#include "finding.h"
#include "holder.h"
#include "holder/dio.h"

static int aio_open(void **queue, unsigned int depth)
{
	aio_context_t *context;
	int rc;

	if (access("/proc/sys/fs/aio-nr", F_OK))
		return why_set(EOPNOTSUPP, "no native AIO here: needs CONFIG_AIO");
	context = calloc(1, sizeof(*context));
	if (!context)
		return why_set(ENOMEM, "no memory for AIO");
	if (syscall(SYS_io_setup, depth, context)) {
		rc = why_set(errno, "io_setup: %m");
		free(context);
		return rc;
	}
	*queue = context;
	return 0;
}

static int aio_start(void *queue, struct dio_request *req)
{
	aio_context_t *context = queue;
	struct iocb cb = {
		.aio_data = (uintptr_t)req,
		.aio_lio_opcode = req->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
		.aio_fildes = req->fd,
		.aio_buf = (uintptr_t)req->addr,
		.aio_nbytes = req->len,
		.aio_offset = req->offset,
	};
	struct iocb *cbs[] = { &cb };

	if (syscall(SYS_io_submit, *context, 1, cbs) != 1)
		return why_set(errno, "io_submit: %m");
	return 0;
}

static int aio_wait(void *queue, struct dio_request *req)
{
	aio_context_t *context = queue;
	long deadline = deadline_in(DEADLINE_MS);
	struct dio_request *ended;
	struct io_event event;
	struct timespec left;
	int n;

	while (req->running) {
		left.tv_sec = deadline_left(deadline) / 1000;
		left.tv_nsec = deadline_left(deadline) % 1000 * 1000000L;
		n = syscall(SYS_io_getevents, *context, 1, 1, &event, &left);
		if (n == 0)
			return why_set(ETIMEDOUT,
				       "an O_DIRECT request was answered but has no completion");
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return why_set(errno, "io_getevents: %m");
		ended = (struct dio_request *)(uintptr_t)event.data;
		ended->result = event.res;
		ended->running = false;
	}
	return 0;
}

static void aio_close(void *queue)
{
	aio_context_t *context = queue;

	syscall(SYS_io_destroy, *context);
	free(context);
}

static const struct dio_way dio_aio = {
	.open = aio_open,
	.start = aio_start,
	.wait = aio_wait,
	.close = aio_close,
};

static int dio_aio_open(struct holder *holder)
{
	return dio_open(holder, &dio_aio, GATE_COPY);
}

ROW(holders, struct holder_ops, aio_read) = {
	.name = "aio_read",
	.what = "an O_DIRECT read by AIO",
	.flags = HOLDER_BATCH,
	DIO_HOLDER(dio_aio_open),
	.fills = dio_fills,
};

ROW(holders, struct holder_ops, aio_write) = {
	.name = "aio_write",
	.what = "an O_DIRECT write by AIO",
	DIO_HOLDER(dio_aio_open),
};
