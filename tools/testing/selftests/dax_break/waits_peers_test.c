// SPDX-License-Identifier: GPL-2.0
/*
 * P1, waits: operations on two files wait for the pages of both, whichever of the
 * two has the higher inode number.
 *
 * Each case runs an operation on pages 1 and 2 of two files of four pages, with page 1
 * of one of them pinned. (In all other tests that is the one with the lower number.)
 * Seen must be: asleep in the layout break while the pin is left, done after it has
 * gone, and two files that look as the operation promises.
 *
 * Filesystems lock two inodes by ascending number, so the second is in another
 * position than the first: xfs_mmaplock_two_inodes_and_break_dax_layout(),
 * fs/xfs/xfs_inode.c.
 */
#include "dax_break.h"

FIXTURE(peers) {
	struct trial trial;
};

FIXTURE_VARIANT(peers) {
	struct fs_op on;
};

FIXTURE_SETUP(peers)
{
	const struct trial_spec spec = {
		.fs = variant->on.fs,
		.op = variant->on.op,
		.holder = "vmsplice",
		.pages = 4,
		.first = 1,
		.count = 2,
		.higher = true,
	};

	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(peers)
{
	trial_end(&self->trial);
}

TEST_F(peers, pinned_in_higher_inode)
{
	expect_wait_for(_metadata, &self->trial, 1);
}

int main(int argc, char **argv)
{
	VARIANTS_OF_OPS(peers, OP_PEER, OP_SPARES | OP_EVICTS);
	return dax_break_main(argc, argv);
}
