// SPDX-License-Identifier: GPL-2.0
/*
 * O_DIRECT: the page is the buffer of a read from or a write to a block device
 * that answers when the test says so (gate.h). Until then a device may write into
 * the page, or read from it. FOLL_PIN (block/bio.c: bio_iov_iter_get_pages()).
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "gate.h"
#include "holder.h"
#include "why.h"

static_assert(HOLDER_SLOTS <= GATE_SLOTS, "a slot of the gate for each slot");

struct request {
	pthread_t thread;	/* sits in its system call while the page is held */
	int fd;
	bool write;
	off_t offset;
	void *addr;
	size_t len;
	int err;		/* of the call, once the thread has ended */
};

struct dio {
	struct gate *gate;
	int fd;
	struct request requests[HOLDER_SLOTS];
};

static int dio_open(struct holder *holder)
{
	struct dio *dio = calloc(1, sizeof(*dio));
	int rc;

	if (!dio)
		return why_set(ENOMEM, "no memory for requests");
	rc = gate_open(&dio->gate);
	if (!rc) {
		dio->fd = open(gate_path(dio->gate), O_RDWR | O_DIRECT | O_CLOEXEC);
		if (dio->fd < 0) {
			rc = why_set(errno, "cannot open %s: %s", gate_path(dio->gate),
				     strerror(errno));
			gate_close(dio->gate);
		}
	}
	if (rc)
		free(dio);
	else
		holder->priv = dio;
	return rc;
}

static void *submit(void *arg)
{
	struct request *req = arg;
	ssize_t n;

	if (req->write)
		n = pwrite(req->fd, req->addr, req->len, req->offset);
	else
		n = pread(req->fd, req->addr, req->len, req->offset);
	if (n < 0)
		req->err = errno;
	else
		req->err = n == (ssize_t)req->len ? 0 : EIO;
	return NULL;
}

/* The thread ends when its request has: page released (bio_release_pages()). */
static int join(struct request *req)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DEADLINE_MS / 1000;
	if (pthread_timedjoin_np(req->thread, NULL, &until))
		return why_set(ETIMEDOUT, "an O_DIRECT request was answered but has not returned");
	if (req->err)
		return why_set(req->err, "an O_DIRECT request failed: %s", strerror(req->err));
	return 0;
}

static int dio_hold(struct holder *holder, unsigned int slot, void *addr, size_t len)
{
	struct dio *dio = holder->priv;
	struct request *req = &dio->requests[slot];
	int rc;

	*req = (struct request){
		.fd = dio->fd,
		.write = holder->ops == &holder_dio_write,
		.offset = gate_slot_offset(dio->gate, slot),
		.addr = addr,
		.len = len,
	};
	rc = pthread_create(&req->thread, NULL, submit, req);
	if (rc)
		return why_set(rc, "cannot create a thread: %s", strerror(rc));
	/* Positive control: the request, page and all, has arrived at the device. */
	rc = gate_wait_held(dio->gate, slot);
	if (rc)
		pthread_detach(req->thread);
	return rc;
}

static int dio_release(struct holder *holder, unsigned int slot)
{
	struct dio *dio = holder->priv;

	return gate_release(dio->gate, slot) ?: join(&dio->requests[slot]);
}

static void dio_close(struct holder *holder)
{
	struct dio *dio = holder->priv;

	close(dio->fd);
	gate_close(dio->gate);
	free(dio);
}

/* The gate answers a read with one byte over and over. */
static __u64 dio_fills(unsigned int slot)
{
	return gate_pattern(slot) * 0x0101010101010101ULL;
}

const struct holder_ops holder_dio_read = {
	.name = "dio_read",
	.what = "an O_DIRECT read",
	.open = dio_open,
	.hold = dio_hold,
	.fills = dio_fills,
	.release = dio_release,
	.close = dio_close,
};

const struct holder_ops holder_dio_write = {
	.name = "dio_write",
	.what = "an O_DIRECT write",
	.open = dio_open,
	.hold = dio_hold,
	.release = dio_release,
	.close = dio_close,
};
