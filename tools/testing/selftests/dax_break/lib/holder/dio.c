// SPDX-License-Identifier: GPL-2.0
/*
 * O_DIRECT: the page is the buffer of a read from or a write to a block device
 * that answers when the test says so (gate.h). Until then a device may write into
 * the page, or read from it. FOLL_PIN (block/bio.c: bio_iov_iter_get_pages()).
 *
 * fixed_*: the server of the device has the pages as a fixed buffer of io_uring's
 * (gate_zero_copy.c), and reads or writes a file with it at the end. The submitter's pin
 * lasts as long as that buffer (drivers/block/ublk_drv.c: ublk_io_release()), whether
 * the server has completed the request or not.
 *
 * By AIO or io_uring, the page may still be held for a moment after the submitter
 * has been told: the kernel drops it after that (block/fops.c:
 * blkdev_bio_end_io_async()), and in the case of a read a worker does, since a DAX
 * page is never dirty (block/bio.c: bio_check_pages_dirty()).
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "holder/dio_way.h"
#include "gate.h"
#include "holder.h"
#include "why.h"

static_assert(HOLDER_SLOTS <= GATE_SLOTS, "a slot of the gate for each slot");

/* What the holders differ in. */
struct kind {
	const struct dio_way *way;
	bool write;
	enum gate_mode mode;
};

struct dio {
	const struct kind *kind;
	struct gate *gate;
	int fd;
	void *queue;		/* of the way */
	struct dio_request requests[HOLDER_SLOTS];
};

static int dio_open(struct holder *holder)
{
	struct dio *dio = calloc(1, sizeof(*dio));
	int rc;

	if (!dio)
		return why_set(ENOMEM, "no memory for requests");
	dio->kind = holder->ops->kind;
	rc = gate_open(&dio->gate, dio->kind->mode);
	if (rc)
		goto free;
	dio->fd = open(gate_path(dio->gate), O_RDWR | O_DIRECT | O_CLOEXEC);
	if (dio->fd < 0) {
		rc = why_set(errno, "cannot open %s: %s", gate_path(dio->gate), strerror(errno));
		goto gate;
	}
	rc = dio->kind->way->open(&dio->queue, HOLDER_SLOTS);
	if (rc)
		goto close;
	holder->priv = dio;
	return 0;

close:
	close(dio->fd);
gate:
	gate_close(dio->gate);
free:
	free(dio);
	return rc;
}

static int dio_hold(struct holder *holder, unsigned int slot, void *addr, size_t len)
{
	struct dio *dio = holder->priv;
	struct dio_request *req = &dio->requests[slot];

	*req = (struct dio_request){
		.fd = dio->fd,
		.write = dio->kind->write,
		.offset = gate_slot_offset(dio->gate, slot),
		.addr = addr,
		.len = len,
	};
	/* Positive control: the request, page and all, has arrived at the device. */
	return dio->kind->way->start(dio->queue, req) ?:
	       gate_wait_held(dio->gate, slot);
}

static int dio_release(struct holder *holder, unsigned int slot)
{
	struct dio *dio = holder->priv;
	struct dio_request *req = &dio->requests[slot];
	int rc;

	rc = gate_release(dio->gate, slot) ?:
	     dio->kind->way->wait(dio->queue, req);
	if (rc)
		return rc;
	if (req->result < 0)
		return why_set(-req->result, "%s failed: %s", holder->ops->what,
			       strerror(-req->result));
	if ((size_t)req->result != req->len)
		return why_set(EIO, "%s did %d of %zu bytes", holder->ops->what, req->result,
			       req->len);
	return 0;
}

/* The gate ends what is left of the requests. */
static void dio_close(struct holder *holder)
{
	struct dio *dio = holder->priv;

	close(dio->fd);
	gate_close(dio->gate);
	dio->kind->way->close(dio->queue);
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
	.kind = &(const struct kind){ &dio_thread, .write = false },
	.open = dio_open,
	.hold = dio_hold,
	.fills = dio_fills,
	.release = dio_release,
	.close = dio_close,
};

const struct holder_ops holder_dio_write = {
	.name = "dio_write",
	.what = "an O_DIRECT write",
	.kind = &(const struct kind){ &dio_thread, .write = true },
	.open = dio_open,
	.hold = dio_hold,
	.release = dio_release,
	.close = dio_close,
};

const struct holder_ops holder_aio_read = {
	.name = "aio_read",
	.what = "an O_DIRECT read by AIO",
	.kind = &(const struct kind){ &dio_aio, .write = false },
	.open = dio_open,
	.hold = dio_hold,
	.fills = dio_fills,
	.release = dio_release,
	.close = dio_close,
};

const struct holder_ops holder_aio_write = {
	.name = "aio_write",
	.what = "an O_DIRECT write by AIO",
	.kind = &(const struct kind){ &dio_aio, .write = true },
	.open = dio_open,
	.hold = dio_hold,
	.release = dio_release,
	.close = dio_close,
};

const struct holder_ops holder_uring_read = {
	.name = "uring_read",
	.what = "an O_DIRECT read by io_uring",
	.kind = &(const struct kind){ &dio_uring, .write = false },
	.open = dio_open,
	.hold = dio_hold,
	.fills = dio_fills,
	.release = dio_release,
	.close = dio_close,
};

const struct holder_ops holder_uring_write = {
	.name = "uring_write",
	.what = "an O_DIRECT write by io_uring",
	.kind = &(const struct kind){ &dio_uring, .write = true },
	.open = dio_open,
	.hold = dio_hold,
	.release = dio_release,
	.close = dio_close,
};

const struct holder_ops holder_fixed_read = {
	.name = "fixed_read",
	.what = "an O_DIRECT read served by READ_FIXED",
	.kind = &(const struct kind){ &dio_thread, .write = false, .mode = GATE_FIXED },
	.open = dio_open,
	.hold = dio_hold,
	.fills = dio_fills,
	.release = dio_release,
	.close = dio_close,
};

const struct holder_ops holder_fixed_write = {
	.name = "fixed_write",
	.what = "an O_DIRECT write served by WRITE_FIXED",
	.kind = &(const struct kind){ &dio_thread, .write = true, .mode = GATE_FIXED },
	.open = dio_open,
	.hold = dio_hold,
	.release = dio_release,
	.close = dio_close,
};

const struct holder_ops holder_fixed_commit = {
	.name = "fixed_commit",
	.what = "a fixed buffer, its ublk request completed",
	.kind = &(const struct kind){ &dio_thread, .write = false, .mode = GATE_FIXED_COMMIT },
	.open = dio_open,
	.hold = dio_hold,
	.fills = dio_fills,
	.release = dio_release,
	.close = dio_close,
};

const struct holder_ops holder_fixed_clone = {
	.name = "fixed_clone",
	.what = "a clone of a fixed buffer, its ublk request completed",
	.kind = &(const struct kind){ &dio_thread, .write = false, .mode = GATE_FIXED_CLONE },
	.open = dio_open,
	.hold = dio_hold,
	.fills = dio_fills,
	.release = dio_release,
	.close = dio_close,
};
