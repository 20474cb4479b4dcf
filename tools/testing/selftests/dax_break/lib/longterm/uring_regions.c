// SPDX-License-Identifier: GPL-2.0
/*
 * io_uring's own data structures in memory of the user's choice: io_create_region(),
 * io_uring/memmap.c (before Linux 6.13: io_rings_map(), io_sqes_map() and
 * io_pin_pbuf_ring()), by way of io_pin_pages().
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "base/rows.h"
#include "longterm/uring.h"

/*
 * Puts the addresses of a ring's memory, if it is the user's, where the kernel reads them:
 * in the last member of both offset structures, called resv2 before Linux 6.5 and user_addr
 * since.
 */
static void place(struct io_uring_params *params, void *rings, void *sqes)
{
	__u64 cq = (uintptr_t)rings;
	__u64 sq = (uintptr_t)sqes;

	memcpy((char *)(&params->cq_off + 1) - sizeof(cq), &cq, sizeof(cq));
	memcpy((char *)(&params->sq_off + 1) - sizeof(sq), &sq, sizeof(sq));
}

/*
 * Sets as many entries as make the SQEs take all of @len bytes, and the rings more than
 * half of it. So either of them needs the second half of the memory, which is where some
 * tests have what must not be pinned.
 */
static unsigned int entries(size_t len, struct io_uring_params *params)
{
	params->flags |= IORING_SETUP_CQSIZE;
	params->sq_entries = len / sizeof(struct io_uring_sqe);
	params->cq_entries = len / 2 / sizeof(struct io_uring_cqe);
	return params->sq_entries;
}

static int open_ring(struct longterm *longterm)
{
	struct io_uring_params params = { 0 };

	return longterm_open_ring(longterm, &params);
}

/* The ring itself is what is asked for: this only finds out whether any can be made. */
static int open_none(struct longterm *longterm)
{
	int rc = open_ring(longterm);

	if (!rc)
		close(longterm->fd);
	longterm->fd = -1;
	return rc;
}

static int ask_ring(struct longterm *longterm, void *rings, void *sqes)
{
	struct io_uring_params params = { .flags = IORING_SETUP_NO_MMAP };
	int fd;

	place(&params, rings, sqes);
	fd = longterm_uring_setup(entries(longterm->len, &params), &params);
	if (fd < 0)
		return fd;
	longterm->fd = fd;
	return 0;
}

static int ask_rings(struct longterm *longterm, void *addr)
{
	return ask_ring(longterm, addr, longterm->beside);
}

static int ask_sqes(struct longterm *longterm, void *addr)
{
	return ask_ring(longterm, longterm->beside, addr);
}

/*
 * A ring can be moved to memory of the user only if that is where it already is. So
 * this makes a small one, in other memory than what is asked for.
 */
static int open_small(struct longterm *longterm)
{
	size_t page_size = sysconf(_SC_PAGESIZE);
	struct io_uring_params params = {
		.flags = IORING_SETUP_NO_MMAP | IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN,
	};
	char *memory = mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return why_set(errno, "no memory for a ring: %s", strerror(errno));
	longterm->priv = memory;
	place(&params, memory, memory + page_size);
	return longterm_open_ring(longterm, &params);
}

static void close_small(struct longterm *longterm)
{
	if (longterm->priv)
		munmap(longterm->priv, 2 * sysconf(_SC_PAGESIZE));
}

static int resize(struct longterm *longterm, void *rings, void *sqes)
{
	struct io_uring_params params = { 0 };

	place(&params, rings, sqes);
	entries(longterm->len, &params);
	return longterm_uring_register(longterm->fd, LONGTERM_REGISTER_RESIZE_RINGS, &params, 1);
}

static int ask_resized_rings(struct longterm *longterm, void *addr)
{
	return resize(longterm, addr, longterm->beside);
}

static int ask_resized_sqes(struct longterm *longterm, void *addr)
{
	return resize(longterm, longterm->beside, addr);
}

static int ask_buffer_ring(struct longterm *longterm, void *addr)
{
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)addr,
		.ring_entries = longterm->len / sizeof(struct io_uring_buf),
	};

	return longterm_uring_register(longterm->fd, IORING_REGISTER_PBUF_RING, &reg, 1);
}

static int ask_region(struct longterm *longterm, void *addr)
{
	struct longterm_region region = {
		.user_addr = (uintptr_t)addr,
		.size = longterm->len,
		.flags = LONGTERM_REGION_TYPE_USER,
	};
	struct {
		__u64 region;
		__u64 flags;
		__u64 resv[2];
	} reg = { .region = (uintptr_t)&region };

	return longterm_uring_register(longterm->fd, LONGTERM_REGISTER_MEM_REGION, &reg, 1);
}

ROW(longterm_requests, struct longterm_request, ring_memory) = {
	.name = "ring_memory",
	.what = "memory for the queues of an io_uring",
	.needs = "Linux 6.10 (IORING_SETUP_NO_MMAP, pages that are not contiguous)",
	.partial = -EFAULT,
	.uses_beside = true,
	.open = open_none,
	.ask = ask_rings,
};

ROW(longterm_requests, struct longterm_request, sqe_memory) = {
	.name = "sqe_memory",
	.what = "memory for the SQEs of an io_uring",
	.needs = "Linux 6.10 (IORING_SETUP_NO_MMAP, pages that are not contiguous)",
	.partial = -EFAULT,
	.uses_beside = true,
	.open = open_none,
	.ask = ask_sqes,
};

ROW(longterm_requests, struct longterm_request, resized_ring_memory) = {
	.name = "resized_ring_memory",
	.what = "memory for the queues of an io_uring that is resized",
	.needs = "Linux 6.13 (IORING_REGISTER_RESIZE_RINGS)",
	.partial = -EFAULT,
	.uses_beside = true,
	.open = open_small,
	.ask = ask_resized_rings,
	.close = close_small,
};

ROW(longterm_requests, struct longterm_request, resized_sqe_memory) = {
	.name = "resized_sqe_memory",
	.what = "memory for the SQEs of an io_uring that is resized",
	.needs = "Linux 6.13 (IORING_REGISTER_RESIZE_RINGS)",
	.partial = -EFAULT,
	.uses_beside = true,
	.open = open_small,
	.ask = ask_resized_sqes,
	.close = close_small,
};

ROW(longterm_requests, struct longterm_request, buffer_ring) = {
	.name = "buffer_ring",
	.what = "memory for an io_uring's ring of provided buffers",
	.needs = "Linux 5.19 (IORING_REGISTER_PBUF_RING)",
	.partial = -EFAULT,
	.open = open_ring,
	.ask = ask_buffer_ring,
};

ROW(longterm_requests, struct longterm_request, memory_region) = {
	.name = "memory_region",
	.what = "an io_uring memory region",
	.needs = "Linux 6.13 (IORING_REGISTER_MEM_REGION)",
	.partial = -EFAULT,
	.open = open_ring,
	.ask = ask_region,
};
