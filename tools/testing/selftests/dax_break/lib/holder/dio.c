// SPDX-License-Identifier: GPL-2.0
/*
 * What the holders by direct I/O have in common: the request is submitted to a block
 * device that answers when the test says so (gate.h). Until then a device may write into
 * the page, or read from it. The pin is FOLL_PIN (block/bio.c: bio_iov_iter_get_pages()).
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "finding.h"
#include "gate/gate.h"
#include "holder.h"
#include "holder/dio.h"

static_assert(HOLDER_SLOTS <= GATE_SLOTS, "each slot of the holder has one of the gate");

struct dio {
	const struct dio_way *way;
	struct gate *gate;
	int fd;
	void *queue;		/* the way's */
	struct dio_request requests[HOLDER_SLOTS];
};

int dio_open(struct holder *holder, const struct dio_way *way, enum gate_mode mode)
{
	struct dio *dio = calloc(1, sizeof(*dio));
	int rc;

	if (!dio)
		return why_set(ENOMEM, "no memory for requests");
	dio->way = way;
	rc = gate_open(&dio->gate, mode);
	if (rc)
		goto free;
	dio->fd = open(gate_path(dio->gate), O_RDWR | O_DIRECT | O_CLOEXEC);
	if (dio->fd < 0) {
		rc = why_set(errno, "cannot open %s: %m", gate_path(dio->gate));
		goto gate;
	}
	rc = way->open(&dio->queue, HOLDER_SLOTS);
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

int dio_hold(struct holder *holder, unsigned int slot, void *addr, size_t len)
{
	struct dio *dio = holder->priv;
	struct dio_request *req = &dio->requests[slot];
	int rc;

	*req = (struct dio_request){
		.fd = dio->fd,
		.write = !holder->ops->fills,
		.offset = gate_slot_offset(dio->gate, slot),
		.addr = addr,
		.len = len,
	};
	rc = dio->way->start(dio->queue, req);
	req->running = !rc;
	/* Positive control: the request has arrived at the device, with its page. */
	return rc ?: gate_wait_held(dio->gate, slot);
}

int dio_release(struct holder *holder, unsigned int slot)
{
	struct dio *dio = holder->priv;
	struct dio_request *req = &dio->requests[slot];
	int rc;

	rc = gate_release(dio->gate, slot) ?: dio->way->wait(dio->queue, req);
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

/*
 * Closing the gate ends the requests that are left. Leaves the memory behind if one is
 * still running then, since it uses it.
 */
void dio_close(struct holder *holder)
{
	struct dio *dio = holder->priv;

	close(dio->fd);
	gate_close(dio->gate);
	for (unsigned int slot = 0; slot < HOLDER_SLOTS; slot++)
		if (dio->requests[slot].running &&
		    dio->way->wait(dio->queue, &dio->requests[slot]))
			return;
	dio->way->close(dio->queue);
	free(dio);
}

/* The gate answers a read with the same byte over and over. */
__u64 dio_fills(unsigned int slot)
{
	return gate_pattern(slot) * 0x0101010101010101ULL;
}
