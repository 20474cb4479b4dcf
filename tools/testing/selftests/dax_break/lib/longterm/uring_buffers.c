// SPDX-License-Identifier: GPL-2.0
/*
 * io_uring's fixed buffers: io_sqe_buffer_register(), io_uring/rsrc.c, by way of
 * io_pin_pages(). A vector of buffers is granted as a whole or not at all: if one is
 * refused, the kernel has to unpin those before it.
 */
#include "base/rows.h"
#include "longterm/uring.h"

static int open_ring(struct longterm *longterm)
{
	struct io_uring_params params = { 0 };

	return longterm_open_ring(longterm, &params);
}

static int ask_one(struct longterm *longterm, void *addr)
{
	struct iovec iov = { addr, longterm->len };

	return longterm_uring_register(longterm->fd, IORING_REGISTER_BUFFERS, &iov, 1);
}

static int ask_last(struct longterm *longterm, void *addr)
{
	size_t half = longterm->len / 2;
	struct iovec iov[] = {
		{ longterm->beside, half },
		{ longterm->beside + half, half },
		{ addr, longterm->len },
	};

	return longterm_uring_register(longterm->fd, IORING_REGISTER_BUFFERS, iov, 3);
}

static int ask_first(struct longterm *longterm, void *addr)
{
	struct iovec iov[] = {
		{ addr, longterm->len },
		{ longterm->beside, longterm->len },
	};

	return longterm_uring_register(longterm->fd, IORING_REGISTER_BUFFERS, iov, 2);
}

/* With tags, for which the kernel posts completions when it lets buffers go. */
static int ask_tagged(struct longterm *longterm, void *addr)
{
	__u64 tags[] = { 1, 2 };
	struct iovec iov[] = {
		{ longterm->beside, longterm->len },
		{ addr, longterm->len },
	};
	struct io_uring_rsrc_register reg = {
		.nr = 2,
		.data = (uintptr_t)iov,
		.tags = (uintptr_t)tags,
	};

	return longterm_uring_register(longterm->fd, IORING_REGISTER_BUFFERS2, &reg,
				       sizeof(reg));
}

static int open_sparse(struct longterm *longterm)
{
	struct io_uring_rsrc_register reg = {
		.nr = 2,
		.flags = IORING_RSRC_REGISTER_SPARSE,
	};
	int rc = open_ring(longterm);

	if (rc)
		return rc;
	rc = longterm_uring_register(longterm->fd, IORING_REGISTER_BUFFERS2, &reg, sizeof(reg));
	if (rc == -EINVAL)
		return why_set(EOPNOTSUPP, "no sparse table of buffers: needs Linux 5.19");
	return rc ? why_set(-rc, "a sparse table of buffers: %s", strerror(-rc)) : 0;
}

static int ask_update(struct longterm *longterm, void *addr)
{
	struct iovec iov = { addr, longterm->len };
	struct io_uring_rsrc_update2 update = {
		.offset = 1,
		.data = (uintptr_t)&iov,
		.nr = 1,
	};
	int done = longterm_uring_register(longterm->fd, IORING_REGISTER_BUFFERS_UPDATE, &update,
					   sizeof(update));

	return done < 0 ? done : 0;
}

ROW(longterm_requests, struct longterm_request, fixed_buffer) = {
	.name = "fixed_buffer",
	.what = "an io_uring fixed buffer",
	.needs = "Linux 5.1",
	.partial = -EFAULT,
	.open = open_ring,
	.ask = ask_one,
};

ROW(longterm_requests, struct longterm_request, fixed_buffers_last) = {
	.name = "fixed_buffers_last",
	.what = "an io_uring fixed buffer after two anonymous ones",
	.needs = "Linux 5.1",
	.partial = -EFAULT,
	.uses_beside = true,
	.open = open_ring,
	.ask = ask_last,
};

ROW(longterm_requests, struct longterm_request, fixed_buffers_first) = {
	.name = "fixed_buffers_first",
	.what = "an io_uring fixed buffer before an anonymous one",
	.needs = "Linux 5.1",
	.partial = -EFAULT,
	.uses_beside = true,
	.open = open_ring,
	.ask = ask_first,
};

ROW(longterm_requests, struct longterm_request, fixed_buffers_tagged) = {
	.name = "fixed_buffers_tagged",
	.what = "a tagged io_uring fixed buffer after an anonymous one",
	.needs = "Linux 5.13",
	.partial = -EFAULT,
	.uses_beside = true,
	.open = open_ring,
	.ask = ask_tagged,
};

ROW(longterm_requests, struct longterm_request, fixed_buffer_update) = {
	.name = "fixed_buffer_update",
	.what = "an update of an io_uring fixed buffer",
	.needs = "Linux 5.19",
	.partial = -EFAULT,
	.open = open_sparse,
	.ask = ask_update,
};
