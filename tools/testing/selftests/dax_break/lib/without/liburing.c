// SPDX-License-Identifier: GPL-2.0
/*
 * No gate and so no direct I/O to hold; no operations as requests of io_uring; and of
 * the requests for long-term pins none of io_uring's.
 */
#include <errno.h>

#include "holder/dio_way.h"
#include "gate.h"
#include "longterm.h"
#include "op/run.h"
#include "why.h"

static int left_out(void)
{
	return why_set(EOPNOTSUPP,
		       "built without liburing: install liburing-dev 2.3 and build again");
}

int gate_open(struct gate **gate, enum gate_mode mode)
{
	*gate = NULL;
	return left_out();
}

void gate_share(void)
{
}

int gate_prepare(struct gate **gate)
{
	*gate = NULL;
	return left_out();
}

/* The rest takes a gate, and there is none. */

int gate_start(struct gate *gate, enum gate_mode mode)
{
	return left_out();
}

const char *gate_path(const struct gate *gate)
{
	return "";
}

off_t gate_slot_offset(const struct gate *gate, unsigned int slot)
{
	return 0;
}

size_t gate_slot_size(const struct gate *gate)
{
	return 0;
}

int gate_wait_held(struct gate *gate, unsigned int slot)
{
	return left_out();
}

unsigned char gate_pattern(unsigned int slot)
{
	return 0;
}

int gate_release(struct gate *gate, unsigned int slot)
{
	return left_out();
}

int gate_kill(struct gate *gate)
{
	return left_out();
}

void gate_close(struct gate *gate)
{
}

int gate_remove_devices_of(__u64 run)
{
	return 0;
}

static int uring_open(void **queue, unsigned int depth)
{
	return left_out();
}

const struct dio_way dio_uring = {
	.open = uring_open,
};

int uring_truncate_run(const struct op_target *t)
{
	return -EOPNOTSUPP;
}

int uring_punch_run(const struct op_target *t)
{
	return -EOPNOTSUPP;
}

const struct longterm_request longterm_uring_buffers[] = { { .name = NULL } };
const struct longterm_request longterm_uring_regions[] = { { .name = NULL } };
const struct longterm_request longterm_zcrx[] = { { .name = NULL } };
const struct longterm_request longterm_ublk[] = { { .name = NULL } };
