// SPDX-License-Identifier: GPL-2.0
/*
 * P1, waits: no operation that takes blocks away from a file completes while a
 * page that it affects is pinned, whoever pins it.
 *
 * Each case runs an operation on pages 1 and 2 of a file of four, in a process of
 * its own, with both pages pinned by one of the holders:
 *
 *	page	0	1	2	3
 *	pinned		X	X
 *	truncate	|======================>	down to one page
 *	punch, ...	|==============|		only these two
 *	unlink	|==============================|	the whole file
 *
 * Seen must be: asleep in the layout break while any pin is left, done after the
 * last one has gone, and a file that looks as the operation promises, with what
 * a device wrote to it during the wait.
 *
 * "One page idle is not the inode idle": the loops of dax_break_layout() and
 * dax_break_layout_final(), fs/dax.c, or before 6.15 those around
 * dax_layout_busy_page().
 */
#include "dax_break.h"

FIXTURE(waits) {
	struct trial trial;
};

FIXTURE_VARIANT(waits) {
	const char *fs, *op, *holder;
};

FIXTURE_SETUP(waits)
{
	const struct trial_spec spec = {
		.fs = variant->fs,
		.op = variant->op,
		.holder = variant->holder,
	};

	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(waits)
{
	trial_teardown(_metadata, &self->trial);
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
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_BLOCKED(trial, waiter_observe_again);
	REQUIRE(return, trial_release(trial, 2));
	ASSERT_COMPLETES(trial);
}

/*
 * Operations for administrators, which take blocks from a file like the others. All
 * were found, by reading, not to break the layout: xfs_swap_extents(), fs/xfs/
 * xfs_bmap_util.c; xfs_exchrange_prep(), fs/xfs/xfs_exchange.c, unless both files are
 * DAX; swap_inode_boot_loader(), fs/ext4/ioctl.c.
 */
FIXTURE(rare) {
	struct trial trial;
};

FIXTURE_VARIANT(rare) {
	struct fs_op on;
};

FIXTURE_SETUP(rare)
{
	const struct trial_spec spec = {
		.fs = variant->on.fs,
		.op = variant->on.op,
		.holder = "vmsplice",
	};

	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(rare)
{
	trial_teardown(_metadata, &self->trial);
}

TEST_F(rare, pinned)
{
	expect_wait_for(_metadata, &self->trial, 1);
}

/* Control: that it works at all. */
TEST_F(rare, not_pinned)
{
	trial_start(&self->trial);
	ASSERT_DOES_NOT_WAIT(&self->trial);
}

#include "aftermath_fixture.h"

int main(int argc, char **argv)
{
	for (const struct filesystem *fs = filesystems; fs->name; fs++)
		for (const struct op *op = ops; op->name; op++)
			for (size_t i = 0; holders[i]; i++) {
				const FIXTURE_VARIANT(waits) data = {
					fs->name, op->name, holders[i]->name,
				};

				if (op_is_for(op, fs->name) &&
				    !(op->flags & (OP_SPARES | OP_RARE)))
					VARIANT_ADD(waits, data, "%s_%s_%s", data.fs, data.op,
						    data.holder);
			}
	VARIANTS_OF_OPS(rare, OP_RARE, 0);
	return dax_break_main(argc, argv);
}
