// SPDX-License-Identifier: GPL-2.0
/*
 * P1, waits: no operation that takes blocks away from a file completes while a
 * page that it affects is pinned.
 *
 * Each case runs an operation on pages 1 and 2 of a file of four, in a process of
 * its own, with pages of that range pinned:
 *
 *	page	0	1	2	3
 *	pinned		X	X
 *	truncate	|======================>	down to one page
 *	punch, ...	|==============|		only these two
 *
 * Seen must be: asleep in the layout break while any pin is left, done after the
 * last one has gone, and a file that looks as the operation promises, with what
 * a device wrote to it during the wait.
 *
 * "One page idle is not the inode idle": the loop of dax_break_layout(),
 * fs/dax.c, or before 6.15 those around dax_layout_busy_page().
 */
#include "dax_break.h"

FIXTURE(waits) {
	struct trial trial;
};

FIXTURE_VARIANT(waits) {
	const char *fs, *op, *holder;
};

FIXTURE_VARIANT_ADD(waits, ext4_truncate_vmsplice) { "ext4", "truncate", "vmsplice" };
FIXTURE_VARIANT_ADD(waits, ext4_truncate_dio_read) { "ext4", "truncate", "dio_read" };
FIXTURE_VARIANT_ADD(waits, ext4_truncate_dio_write) { "ext4", "truncate", "dio_write" };
FIXTURE_VARIANT_ADD(waits, ext4_punch_vmsplice) { "ext4", "punch", "vmsplice" };
FIXTURE_VARIANT_ADD(waits, ext4_punch_dio_read) { "ext4", "punch", "dio_read" };
FIXTURE_VARIANT_ADD(waits, ext4_punch_dio_write) { "ext4", "punch", "dio_write" };
FIXTURE_VARIANT_ADD(waits, ext4_zero_vmsplice) { "ext4", "zero", "vmsplice" };
FIXTURE_VARIANT_ADD(waits, ext4_zero_dio_read) { "ext4", "zero", "dio_read" };
FIXTURE_VARIANT_ADD(waits, ext4_zero_dio_write) { "ext4", "zero", "dio_write" };
FIXTURE_VARIANT_ADD(waits, ext4_collapse_vmsplice) { "ext4", "collapse", "vmsplice" };
FIXTURE_VARIANT_ADD(waits, ext4_collapse_dio_read) { "ext4", "collapse", "dio_read" };
FIXTURE_VARIANT_ADD(waits, ext4_collapse_dio_write) { "ext4", "collapse", "dio_write" };
FIXTURE_VARIANT_ADD(waits, ext4_insert_vmsplice) { "ext4", "insert", "vmsplice" };
FIXTURE_VARIANT_ADD(waits, ext4_insert_dio_read) { "ext4", "insert", "dio_read" };
FIXTURE_VARIANT_ADD(waits, ext4_insert_dio_write) { "ext4", "insert", "dio_write" };
FIXTURE_VARIANT_ADD(waits, xfs_truncate_vmsplice) { "xfs", "truncate", "vmsplice" };
FIXTURE_VARIANT_ADD(waits, xfs_truncate_dio_read) { "xfs", "truncate", "dio_read" };
FIXTURE_VARIANT_ADD(waits, xfs_truncate_dio_write) { "xfs", "truncate", "dio_write" };
FIXTURE_VARIANT_ADD(waits, xfs_punch_vmsplice) { "xfs", "punch", "vmsplice" };
FIXTURE_VARIANT_ADD(waits, xfs_punch_dio_read) { "xfs", "punch", "dio_read" };
FIXTURE_VARIANT_ADD(waits, xfs_punch_dio_write) { "xfs", "punch", "dio_write" };
FIXTURE_VARIANT_ADD(waits, xfs_zero_vmsplice) { "xfs", "zero", "vmsplice" };
FIXTURE_VARIANT_ADD(waits, xfs_zero_dio_read) { "xfs", "zero", "dio_read" };
FIXTURE_VARIANT_ADD(waits, xfs_zero_dio_write) { "xfs", "zero", "dio_write" };
FIXTURE_VARIANT_ADD(waits, xfs_collapse_vmsplice) { "xfs", "collapse", "vmsplice" };
FIXTURE_VARIANT_ADD(waits, xfs_collapse_dio_read) { "xfs", "collapse", "dio_read" };
FIXTURE_VARIANT_ADD(waits, xfs_collapse_dio_write) { "xfs", "collapse", "dio_write" };
FIXTURE_VARIANT_ADD(waits, xfs_insert_vmsplice) { "xfs", "insert", "vmsplice" };
FIXTURE_VARIANT_ADD(waits, xfs_insert_dio_read) { "xfs", "insert", "dio_read" };
FIXTURE_VARIANT_ADD(waits, xfs_insert_dio_write) { "xfs", "insert", "dio_write" };
FIXTURE_VARIANT_ADD(waits, xfs_unshare_vmsplice) { "xfs", "unshare", "vmsplice" };
FIXTURE_VARIANT_ADD(waits, xfs_unshare_dio_read) { "xfs", "unshare", "dio_read" };
FIXTURE_VARIANT_ADD(waits, xfs_unshare_dio_write) { "xfs", "unshare", "dio_write" };

FIXTURE_SETUP(waits)
{
	const struct trial_spec spec = {
		.fs = variant->fs,
		.op = variant->op,
		.holder = variant->holder,
		.pages = 4,
		.first = 1,
		.count = 2,
	};

	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(waits)
{
	trial_end(&self->trial);
}

/*
 * Two pages pinned, released one after the other: blocked after the first, done
 * after the last. The lower page goes first: it is the one that every kernel so
 * far waits for first, so its release must make the operation look again.
 */
TEST_F(waits, two_pins_one_by_one)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, trial_hold(trial, 1));
	REQUIRE(return, trial_hold(trial, 2));
	waiter_start(&trial->waiter);
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_BLOCKED(trial, waiter_observe_again);
	REQUIRE(return, trial_release(trial, 2));
	ASSERT_COMPLETES(trial);
}

/*
 * The other way round. The release of the higher page may wake nobody, but must
 * not end the wait for the lower one.
 */
TEST_F(waits, two_pins_last_page_first)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, trial_hold(trial, 1));
	REQUIRE(return, trial_hold(trial, 2));
	waiter_start(&trial->waiter);
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, 2));
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
}

/*
 * DMA that begins while the operation waits for another page, behind it or before
 * it: faults go on during the wait, so after it the range must be looked at again
 * from its beginning.
 */
TEST_F(waits, pinned_during_wait_behind)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, trial_hold(trial, 1));
	waiter_start(&trial->waiter);
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_hold_aside(trial, 2));
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_BLOCKED(trial, waiter_observe_again);
	REQUIRE(return, trial_release(trial, 2));
	ASSERT_COMPLETES(trial);
}

TEST_F(waits, pinned_during_wait_before)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, trial_hold(trial, 2));
	waiter_start(&trial->waiter);
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_hold_aside(trial, 1));
	REQUIRE(return, trial_release(trial, 2));
	ASSERT_BLOCKED(trial, waiter_observe_again);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
}

/*
 * A page pinned through a mapping that is gone by the time of the operation. A
 * device does not care for page tables: it must be waited for all the same.
 * Broken before 6.15, where dax_layout_busy_page() took "mapped by nobody" for
 * "used by nobody" (fixed by cee91fa13a8e).
 */
TEST_F(waits, unmapped)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, trial_hold(trial, 1));
	dax_file_unmap(&trial->file);
	waiter_start(&trial->waiter);
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
}

int main(int argc, char **argv)
{
	return dax_break_main(argc, argv);
}
