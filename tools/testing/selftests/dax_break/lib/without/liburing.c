// SPDX-License-Identifier: GPL-2.0
/*
 * Without liburing there is no gate, and so no direct I/O to hold; no ublk device to ask
 * for a long-term pin; and no operation as a request of io_uring.
 */
#include <errno.h>

#include "finding.h"
#include "gate/gate.h"
#include "gate/ublk.h"
#include "holder/dio.h"
#include "op/request.h"

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

/* These take a gate, and none was opened. */

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

int ublk_open(struct ublk *ublk, unsigned int entries)
{
	return left_out();
}

/* These take a client, and none was opened. */

void ublk_close(struct ublk *ublk)
{
}

int ublk_add(struct ublk *ublk)
{
	return left_out();
}

int ublk_remove(struct ublk *ublk)
{
	return left_out();
}

int ublk_command(struct ublk *ublk, unsigned int op, void *buf, size_t len, __u64 data)
{
	return -EOPNOTSUPP;
}

/* Nobody opens it: the gate comes first. */
const struct dio_way dio_uring = { .open = NULL };

int op_request(const struct io_uring_sqe *sqe)
{
	return -EOPNOTSUPP;
}
