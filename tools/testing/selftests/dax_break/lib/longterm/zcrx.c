// SPDX-License-Identifier: GPL-2.0
/*
 * io_uring's zero copy receive: io_register_zcrx(), io_uring/zcrx.c, pins the area
 * that packets go to (io_import_umem()) and the ring by which the process gives it
 * back (io_allocate_rbuf_ring()). Few network devices can do this; newer kernels register
 * memory without one, and that is what these requests do.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "base/rows.h"
#include "longterm/uring.h"

struct zcrx_area {		/* struct io_uring_zcrx_area_reg */
	__u64 addr;
	__u64 len;
	__u64 token;
	__u32 flags;
	__u32 dmabuf_fd;
	__u64 resv[2];
};

struct zcrx_reg {		/* struct io_uring_zcrx_ifq_reg */
	__u32 device;
	__u32 queue;
	__u32 entries;
	__u32 flags;
	__u64 area;
	__u64 region;
	__u64 offsets[4];
	__u32 id;
	__u32 rx_buf_len;
	__u64 event_desc;
	__u64 resv[2];
};

#define ZCRX_NO_DEVICE	2	/* ZCRX_REG_NODEV */

struct zcrx_entry {		/* struct io_uring_zcrx_rqe */
	__u64 off;
	__u32 len;
	__u32 pad;
};

struct zcrx_add_area {		/* struct zcrx_ctrl */
	__u32 id;
	__u32 op;
	__u64 resv[2];
	__u64 area;
	__u64 resv2[5];
};

#define ZCRX_ADD_AREA	3	/* ZCRX_CTRL_ADD_AREA */

static int open_ring(struct longterm *longterm)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_CQE32,
	};

	return longterm_open_ring(longterm, &params);
}

static int ask_zcrx(struct longterm *longterm, void *area_addr, void *ring_addr)
{
	struct zcrx_area area = {
		.addr = (uintptr_t)area_addr,
		.len = longterm->len,
	};
	struct longterm_region region = {
		.user_addr = (uintptr_t)ring_addr,
		.size = longterm->len,
		.flags = ring_addr ? LONGTERM_REGION_TYPE_USER : 0,
	};
	struct zcrx_reg reg = {
		.entries = longterm->len / 2 / sizeof(struct zcrx_entry),
		.flags = ZCRX_NO_DEVICE,
		.area = (uintptr_t)&area,
		.region = (uintptr_t)&region,
	};

	return longterm_uring_register(longterm->fd, LONGTERM_REGISTER_ZCRX_IFQ, &reg, 1);
}

static int ask_area(struct longterm *longterm, void *addr)
{
	return ask_zcrx(longterm, addr, longterm->beside);
}

static int ask_refill_ring(struct longterm *longterm, void *addr)
{
	return ask_zcrx(longterm, longterm->beside, addr);
}

/* Registers a first area, in other memory than what is asked for; the ring is the kernel's. */
static int open_first_area(struct longterm *longterm)
{
	int rc = open_ring(longterm);
	char *memory;

	if (rc)
		return rc;
	memory = mmap(NULL, longterm->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (memory == MAP_FAILED)
		return why_set(errno, "no memory for an area: %s", strerror(errno));
	longterm->priv = memory;
	rc = ask_zcrx(longterm, memory, NULL);
	if (rc == -EINVAL)
		return why_set(EOPNOTSUPP, "no zero copy receive: needs %s",
			       longterm->request->needs);
	return rc ? why_set(-rc, "zero copy receive: %s", strerror(-rc)) : 0;
}

static void close_first_area(struct longterm *longterm)
{
	if (longterm->priv)
		munmap(longterm->priv, longterm->len);
}

/* Adds an area to what open_first_area() has registered, which has number 0. */
static int ask_another_area(struct longterm *longterm, void *addr)
{
	struct zcrx_area area = {
		.addr = (uintptr_t)addr,
		.len = longterm->len,
	};
	struct zcrx_add_area add = {
		.op = ZCRX_ADD_AREA,
		.area = (uintptr_t)&area,
	};

	return longterm_uring_register(longterm->fd, LONGTERM_REGISTER_ZCRX_CTRL, &add, 0);
}

ROW(longterm_requests, struct longterm_request, zcrx_area) = {
	.name = "zcrx_area",
	.what = "an area for io_uring's zero copy receive",
	.needs = "CONFIG_IO_URING_ZCRX and ZCRX_REG_NODEV",
	.partial = -EFAULT,
	.uses_beside = true,
	.open = open_ring,
	.ask = ask_area,
};

ROW(longterm_requests, struct longterm_request, zcrx_refill_ring) = {
	.name = "zcrx_refill_ring",
	.what = "a refill ring for io_uring's zero copy receive",
	.needs = "CONFIG_IO_URING_ZCRX and ZCRX_REG_NODEV",
	.partial = -EFAULT,
	.uses_beside = true,
	.open = open_ring,
	.ask = ask_refill_ring,
};

ROW(longterm_requests, struct longterm_request, zcrx_another_area) = {
	.name = "zcrx_another_area",
	.what = "another area for io_uring's zero copy receive",
	.needs = "CONFIG_IO_URING_ZCRX and ZCRX_CTRL_ADD_AREA",
	.partial = -EFAULT,
	.open = open_first_area,
	.ask = ask_another_area,
	.close = close_first_area,
};
