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
 *	punch		|==============|		only these two
 *
 * What must be seen: the operation is asleep in the layout break while any pin is left, and
 * done after the last one has gone.
 *
 * "One page idle is not the inode idle": the loop of dax_break_layout(), fs/dax.c, or before
 * 6.15 those around dax_layout_busy_page().
 */
#include "dax_break.h"

TRIAL_FIXTURE(waits);

FIXTURE_VARIANT_ADD(waits, truncate_vmsplice) { .op = "truncate", .holder = "vmsplice" };
FIXTURE_VARIANT_ADD(waits, truncate_fuse_read) { .op = "truncate", .holder = "fuse_read" };
FIXTURE_VARIANT_ADD(waits, truncate_fuse_write) { .op = "truncate", .holder = "fuse_write" };
FIXTURE_VARIANT_ADD(waits, punch_vmsplice) { .op = "punch", .holder = "vmsplice" };
FIXTURE_VARIANT_ADD(waits, punch_fuse_read) { .op = "punch", .holder = "fuse_read" };
FIXTURE_VARIANT_ADD(waits, punch_fuse_write) { .op = "punch", .holder = "fuse_write" };

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

DAX_BREAK_MAIN()
