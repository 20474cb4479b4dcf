// SPDX-License-Identifier: GPL-2.0
/*
 * P7, no long-term pins: references of unbounded life to fsdax memory are
 * refused with a clean errno, and leave nothing behind.
 *
 * Each case asks io_uring to register the mapping of a file of four pages as a
 * fixed buffer (FOLL_LONGTERM). Seen must be: -EOPNOTSUPP, and an operation on
 * the pages that does not find a single one busy afterwards.
 *
 * check_vma_flags(), mm/gup.c, for the slow path; folio_is_longterm_pinnable(),
 * include/linux/mm.h, for the fast one, which only pages already in the page
 * tables take.
 */
#include <liburing.h>

#include "dax_break.h"

FIXTURE(longterm) {
	struct trial trial;
	struct io_uring ring;
};

FIXTURE_VARIANT(longterm) {
	const char *fs;
};

FIXTURE_VARIANT_ADD(longterm, ext4) { "ext4" };
FIXTURE_VARIANT_ADD(longterm, xfs) { "xfs" };

FIXTURE_SETUP(longterm)
{
	const struct trial_spec spec = {
		.fs = variant->fs,
		.op = "truncate",
		.pages = 4,
		.first = 0,
		.count = 4,
	};
	int rc = io_uring_queue_init(1, &self->ring, 0);

	if (rc)
		SKIP(return, "no io_uring (%s): CONFIG_IO_URING, sysctl kernel.io_uring_disabled=0",
		     strerror(-rc));
	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(longterm)
{
	trial_end(&self->trial);
	io_uring_queue_exit(&self->ring);
}

static int register_mapping(struct io_uring *ring, const struct dax_file *file)
{
	struct iovec iov = {
		.iov_base = file->map,
		.iov_len = file->pages * file->page_size,
	};

	return io_uring_register_buffers(ring, &iov, 1);
}

#define ASSERT_REFUSED(_rc) do { \
	int __rc = (_rc); \
\
	ASSERT_EQ(-EOPNOTSUPP, __rc) { \
		TH_LOG("P7 broken: registering fsdax pages as a fixed buffer gave %d (%s)", \
		       __rc, strerror(-__rc)); \
	} \
} while (0)

/* Nothing faulted in yet: the slow path of GUP. */
TEST_F(longterm, fixed_buffer_cold)
{
	ASSERT_REFUSED(register_mapping(&self->ring, &self->trial.file));
	waiter_start(&self->trial.waiter);
	ASSERT_DOES_NOT_WAIT(&self->trial);
}

/* All faulted in, writable: the fast path of GUP gets to see the pages. */
TEST_F(longterm, fixed_buffer_faulted_in)
{
	for (unsigned int page = 0; page < self->trial.file.pages; page++)
		dax_file_touch(&self->trial.file, page);
	ASSERT_REFUSED(register_mapping(&self->ring, &self->trial.file));
	waiter_start(&self->trial.waiter);
	ASSERT_DOES_NOT_WAIT(&self->trial);
}

int main(int argc, char **argv)
{
	return dax_break_main(argc, argv);
}
