// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that the server of a ublk device shares with it: ublk_ctrl_reg_buf(),
 * drivers/block/ublk_drv.c. The device need not be started. It can be pinned just to be
 * read, which else only gup_test offers.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/rows.h"
#include "finding.h"
#include "gate/ublk.h"
#include "longterm.h"

/* What <linux/ublk_cmd.h> did not have from the start (6.0). */
#ifndef UBLK_F_SHMEM_ZC
#define UBLK_F_SHMEM_ZC	0x80000ULL
#endif
#ifndef UBLK_U_CMD_REG_BUF
#define UBLK_U_CMD_REG_BUF	_IOR('u', 0x18, struct ublksrv_ctrl_cmd)
#endif
#define REG_BUF_READ_ONLY	1

struct reg_buf {		/* struct ublk_shmem_buf_reg */
	__u64 addr;
	__u64 len;
	__u32 flags;
	__u32 reserved;
};

static int open_device(struct longterm *longterm)
{
	struct ublk *ublk = malloc(sizeof(*ublk));
	int rc;

	if (!ublk)
		return why_set(ENOMEM, "no memory");
	rc = ublk_open(ublk, 4);
	if (rc) {
		free(ublk);
		return rc;
	}
	longterm->priv = ublk;
	ublk->info.nr_hw_queues = 1;
	ublk->info.queue_depth = 1;
	ublk->info.max_io_buf_bytes = sysconf(_SC_PAGESIZE);
	ublk->info.flags = UBLK_F_SHMEM_ZC;
	rc = ublk_add(ublk);
	if (rc)
		return rc;
	/* The driver has cleared the flags that it does not know. */
	if (!(ublk->info.flags & UBLK_F_SHMEM_ZC))
		return why_set(EOPNOTSUPP, "the kernel cannot do %s: needs %s",
			       longterm->request->what, longterm->request->needs);
	return 0;
}

static void close_device(struct longterm *longterm)
{
	struct ublk *ublk = longterm->priv;

	if (!ublk)
		return;
	ublk_remove(ublk);
	ublk_close(ublk);
	free(ublk);
}

static int reg_buf(struct longterm *longterm, void *addr, __u32 flags)
{
	struct reg_buf buf = {
		.addr = (uintptr_t)addr,
		.len = longterm->len,
		.flags = flags,
	};
	int index = ublk_command(longterm->priv, UBLK_U_CMD_REG_BUF, &buf, sizeof(buf), 0);

	return index < 0 ? index : 0;
}

static int ask_write(struct longterm *longterm, void *addr)
{
	return reg_buf(longterm, addr, 0);
}

static int ask_read(struct longterm *longterm, void *addr)
{
	return reg_buf(longterm, addr, REG_BUF_READ_ONLY);
}

ROW(longterm_requests, struct longterm_request, ublk_memory) = {
	.name = "ublk_memory",
	.what = "memory shared with a ublk device",
	.needs = "UBLK_F_SHMEM_ZC",
	.partial = -EFAULT,
	.open = open_device,
	.ask = ask_write,
	.close = close_device,
};

ROW(longterm_requests, struct longterm_request, ublk_memory_read_only) = {
	.name = "ublk_memory_read_only",
	.what = "memory shared with a ublk device for reading",
	.needs = "UBLK_F_SHMEM_ZC",
	.partial = -EFAULT,
	.open = open_device,
	.ask = ask_read,
	.close = close_device,
};
