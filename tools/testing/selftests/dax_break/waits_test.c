// SPDX-License-Identifier: GPL-2.0
/*
 * P1, waits: no operation that takes blocks away from a file completes while a page that it
 * affects is pinned, whatever pins it.
 *
 * Each case runs an operation on pages 1 and 2 of a file of four, in a process of its own,
 * with both pages pinned by one of the holders:
 *
 *	page	0	1	2	3
 *	pinned		X	X
 *	truncate	|======================>	down to one page
 *	punch, ...	|==============|		only these two
 *	unlink	|==============================|	the whole file
 *
 * What must be seen: the operation is asleep in the layout break while any pin is left, and
 * done after the last one has gone; then the file is as the operation promises, with what a
 * device wrote to it during the wait.
 *
 * "One page idle is not the inode idle": the loops of dax_break_layout() and
 * dax_break_layout_final(), fs/dax.c, or before 6.15 those around dax_layout_busy_page().
 */
#include "dax_break.h"

TRIAL_FIXTURE(waits);

/*
 * Two pages are pinned, and released one after the other: the operation is blocked after
 * the first release, and done after the last. The lower page goes first: every kernel so far
 * waits for it first, so its release must make the operation look again.
 */
TEST_F(waits, two_pins_one_by_one)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, trial_hold(trial, 1));
	REQUIRE(return, trial_hold(trial, 2));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_BLOCKED_AGAIN(trial);
	REQUIRE(return, trial_release(trial, 2));
	ASSERT_COMPLETES(trial);
}

/*
 * Operations for administrators, which take blocks from a file like the others. According
 * to their source none of them breaks the layout: xfs_swap_extents(),
 * fs/xfs/xfs_bmap_util.c; xfs_exchrange_prep(), fs/xfs/xfs_exchange.c, unless both files are
 * DAX; swap_inode_boot_loader(), fs/ext4/ioctl.c.
 */
TRIAL_FIXTURE(rare);

TEST_F(rare, pinned)
{
	expect_wait_for(_metadata, &self->trial, 1);
}

/* Control: the operation works at all. */
TEST_F(rare, not_pinned)
{
	trial_start(&self->trial);
	ASSERT_DOES_NOT_WAIT(&self->trial);
}

static void add_variants(void)
{
	for (struct cases c = cases_of_ops(0, 0, OP_SPARES); cases_next(&c);)
		for (const struct holder_ops *h = holder_next(NULL); h; h = holder_next(h)) {
			const FIXTURE_VARIANT(waits) data = { .on = c.on, .holder = h->name };

			VARIANT_ADD_AS(waits, data, "%s", data.holder);
		}
	VARIANTS_OF_OPS(rare, 0, OP_RARE, 0);
}

DAX_BREAK_MAIN(.variants = add_variants)
