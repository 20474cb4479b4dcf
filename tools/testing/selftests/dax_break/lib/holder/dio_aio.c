// SPDX-License-Identifier: GPL-2.0
/*
 * Direct I/O by the kernel's native AIO, without libaio: io_submit(2), fs/aio.c.
 * The completion may be seen before the page is dropped; see holder_dio.c.
 */
#include <errno.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "holder/dio_way.h"
#include "why.h"

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
		rc = why_set(errno, "io_setup: %s", strerror(errno));
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
		return why_set(errno, "io_submit: %s", strerror(errno));
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

	while (!req->done) {
		left.tv_sec = deadline_left(deadline) / 1000;
		left.tv_nsec = deadline_left(deadline) % 1000 * 1000000L;
		n = syscall(SYS_io_getevents, *context, 1, 1, &event, &left);
		if (n == 0)
			return why_set(ETIMEDOUT,
				       "an O_DIRECT request was answered but has no completion");
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return why_set(errno, "io_getevents: %s", strerror(errno));
		ended = (struct dio_request *)(uintptr_t)event.data;
		ended->result = event.res;
		ended->done = true;
	}
	return 0;
}

static void aio_close(void *queue)
{
	aio_context_t *context = queue;

	syscall(SYS_io_destroy, *context);
	free(context);
}

const struct dio_way dio_aio = {
	.open = aio_open,
	.start = aio_start,
	.wait = aio_wait,
	.close = aio_close,
};
