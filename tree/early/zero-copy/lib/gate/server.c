// SPDX-License-Identifier: GPL-2.0
#include "gate/device.h"

/*
 * Does all that is left to do for the request of @t: with its data, unless @error
 * (0 or a negative errno) says that it is to fail.
 */
static void complete(struct server *s, struct gate_tag *t, int error)
{
	size_t bytes = (size_t)t->request->nr_sectors << SECTOR_SHIFT;

	if (ublksrv_get_op(t->request) == UBLK_IO_OP_READ && !error)
		memset(t->buffer, t->slot == NO_SLOT ? 0 : gate_pattern(t->slot), bytes);
	gate_device_commit(&s->device, t, error ?: (int)bytes);
}

static void answer_wait(struct server *s)
{
	if (!s->waiting || !held(s, s->wait.slot))
		return;
	s->waiting = false;
	reply(s, s->wait.number, 0);
}

static int add_device(struct server *s)
{
	int err = ublk_open(&s->device.ublk, GATE_TAGS + 1);

	if (err)
		return err;
	s->device.ublk.handle = on_request;
	s->device.ublk.context = s;
	return gate_device_add(&s->device);
}

static int release(struct server *s, unsigned int slot)
{
	struct gate_tag *t = held(s, slot);

	if (!t)
		return why_set(ENOENT, "gate: nothing is held in slot %u", slot);
	complete(s, t, 0);
	return 0;
}
