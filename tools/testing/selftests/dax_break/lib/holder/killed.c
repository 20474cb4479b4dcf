// SPDX-License-Identifier: GPL-2.0
/*
 * A ublk server that has the page of an O_DIRECT read as a fixed buffer (gate.h:
 * GATE_FIXED_KILL), and is released by SIGKILL. The exit of its ring empties the buffer
 * table (io_uring/io_uring.c: io_ring_ctx_free()). The driver waits for that before it
 * fails the request (drivers/block/ublk_drv.c: ublk_ch_release_work_fn()), and only then
 * does the kernel drop the submitter's pin.
 *
 * Each page takes a server of its own. The servers are forked in advance, and get a device
 * when one is needed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rows.h"
#include "finding.h"
#include "gate/gate.h"
#include "holder.h"
#include "holder/dio.h"

/* How many pages can be held between open() and close(). */
#define SERVERS	2

struct killed {
	struct gate *gates[SERVERS];
	unsigned int started;		/* how many of the gates have a device, */
	unsigned int used;		/* and how many of these have held a page */
	struct pin {
		unsigned int gate;
		int fd;
		struct dio_request request;
	} pins[HOLDER_SLOTS];
};

static int start(struct killed *killed)
{
	int rc = gate_start(killed->gates[killed->started], GATE_FIXED_KILL);

	if (!rc)
		killed->started++;
	return rc;
}

/* Leaves the memory behind if a request is still running, since it uses it. */
static void killed_close(struct holder *holder)
{
	struct killed *killed = holder->priv;

	for (int i = 0; i < SERVERS; i++)
		gate_close(killed->gates[i]);
	for (int i = 0; i < HOLDER_SLOTS; i++)
		if (dio_thread.wait(NULL, &killed->pins[i].request))
			return;
	free(killed);
}

static int killed_open(struct holder *holder)
{
	struct killed *killed = calloc(1, sizeof(*killed));
	int rc = 0;

	if (!killed)
		return why_set(ENOMEM, "no memory for requests");
	holder->priv = killed;
	for (int i = 0; i < SERVERS && !rc; i++)
		rc = gate_prepare(&killed->gates[i]);
	/* The first one tells whether the kernel has zero copy at all. */
	rc = rc ?: start(killed);
	if (rc)
		killed_close(holder);
	return rc;
}

static int killed_hold(struct holder *holder, unsigned int slot, void *addr, size_t len)
{
	struct killed *killed = holder->priv;
	struct pin *pin = &killed->pins[slot];
	struct gate *gate;
	int rc = 0;

	if (killed->used == SERVERS)
		return why_set(ENOSPC, "%s: all %u servers have been used", holder->ops->name,
			       SERVERS);
	if (killed->used == killed->started)
		rc = start(killed);
	if (rc)
		return rc;
	pin->gate = killed->used++;
	gate = killed->gates[pin->gate];
	pin->fd = open(gate_path(gate), O_RDWR | O_DIRECT | O_CLOEXEC);
	if (pin->fd < 0)
		return why_set(errno, "cannot open %s: %m", gate_path(gate));
	pin->request = (struct dio_request){
		.fd = pin->fd,
		.offset = gate_slot_offset(gate, 0),
		.addr = addr,
		.len = len,
	};
	return dio_thread.start(NULL, &pin->request) ?: gate_wait_held(gate, 0);
}

static int killed_release(struct holder *holder, unsigned int slot)
{
	struct killed *killed = holder->priv;
	struct pin *pin = &killed->pins[slot];
	int rc;

	rc = gate_kill(killed->gates[pin->gate]) ?: dio_thread.wait(NULL, &pin->request);
	close(pin->fd);
	gate_close(killed->gates[pin->gate]);
	killed->gates[pin->gate] = NULL;
	if (!rc && pin->request.result != -EIO)
		rc = why_set(EIO, "a read of a device whose server was killed gave %d",
			     pin->request.result);
	return rc;
}

ROW(holders, struct holder_ops, fixed_killed) = {
	.name = "fixed_killed",
	.what = "a fixed buffer of a ublk server to be killed",
	.open = killed_open,
	.hold = killed_hold,
	.release = killed_release,
	.close = killed_close,
};
