// SPDX-License-Identifier: GPL-2.0
/*
 * P4, precise: an operation waits for pins of what it affects, and for nothing
 * else.
 *
 * Each case runs an operation on pages 1 and 2 of a file of four with nothing
 * pinned. Seen must be: it returns 0 without ever sleeping in the layout break.
 * These are also the negative controls of P1: it is the pin that makes an
 * operation wait there, not the mapping and not the machine.
 *
 * dax_break_layout(), fs/dax.c: the return value when nothing is busy was
 * undefined in early versions of the series that introduced it.
 */
#include "dax_break.h"

FIXTURE(precise) {
	struct trial trial;
};

FIXTURE_VARIANT(precise) {
	const char *fs, *op;
};

FIXTURE_VARIANT_ADD(precise, ext4_truncate) { "ext4", "truncate" };
FIXTURE_VARIANT_ADD(precise, ext4_punch) { "ext4", "punch" };
FIXTURE_VARIANT_ADD(precise, ext4_zero) { "ext4", "zero" };
FIXTURE_VARIANT_ADD(precise, ext4_collapse) { "ext4", "collapse" };
FIXTURE_VARIANT_ADD(precise, ext4_insert) { "ext4", "insert" };
FIXTURE_VARIANT_ADD(precise, xfs_truncate) { "xfs", "truncate" };
FIXTURE_VARIANT_ADD(precise, xfs_punch) { "xfs", "punch" };
FIXTURE_VARIANT_ADD(precise, xfs_zero) { "xfs", "zero" };
FIXTURE_VARIANT_ADD(precise, xfs_collapse) { "xfs", "collapse" };
FIXTURE_VARIANT_ADD(precise, xfs_insert) { "xfs", "insert" };
FIXTURE_VARIANT_ADD(precise, xfs_unshare) { "xfs", "unshare" };

FIXTURE_SETUP(precise)
{
	const struct trial_spec spec = {
		.fs = variant->fs,
		.op = variant->op,
		.holder = "vmsplice",
		.pages = 4,
		.first = 1,
		.count = 2,
	};

	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(precise)
{
	trial_end(&self->trial);
}

/* No page of the file has ever been mapped: nothing to look at. */
TEST_F(precise, never_mapped)
{
	waiter_start(&self->trial.waiter);
	ASSERT_DOES_NOT_WAIT(&self->trial);
}

/* Every page is mapped and dirty, but a mapping is no pin. */
TEST_F(precise, mapped)
{
	for (unsigned int page = 0; page < self->trial.file.pages; page++)
		dax_file_touch(&self->trial.file, page);
	waiter_start(&self->trial.waiter);
	ASSERT_DOES_NOT_WAIT(&self->trial);
}

/* Pages that were pinned, but are no more. */
TEST_F(precise, pins_gone)
{
	for (unsigned int page = 0; page < self->trial.file.pages; page++)
		REQUIRE(return, trial_hold(&self->trial, page));
	for (unsigned int page = 0; page < self->trial.file.pages; page++)
		REQUIRE(return, trial_release(&self->trial, page));
	waiter_start(&self->trial.waiter);
	ASSERT_DOES_NOT_WAIT(&self->trial);
}

int main(int argc, char **argv)
{
	return dax_break_main(argc, argv);
}
