// SPDX-License-Identifier: GPL-2.0
/*
 * P1, waits: an operation waits for as long as it takes. No other test holds a pin longer
 * than it takes to see the operation asleep, so none would notice an operation that gives
 * up after a while.
 *
 * Each case pins page 1 of two files of four pages, punches a hole into one and deletes the
 * other. All operations wait in one of two functions of fs/dax.c: dax_break_layout() if the
 * inode stays, dax_break_layout_final() if it is evicted. Both pins are held at the same
 * time, for PATIENCE_MS.
 *
 * What must be seen: both operations are asleep in the layout break after that time, and
 * done once the pin has gone.
 */
#include <poll.h>

#include "dax_break.h"

/*
 * Longer than any timeout that a kernel is likely to have: one, five, or ten seconds. Only
 * this test has to take time: time is what it is about, so that nothing else can show it.
 * It does not guess when something will have happened.
 */
#define PATIENCE_MS	12000

FIXTURE(patience) {
	/* The deleted file is set up last: the waiter of a later trial would have it open. */
	struct trial punch, unlink;
};

FIXTURE_VARIANT_ON(patience);

FIXTURE_SETUP(patience)
{
	const struct trial_spec punch = { .on = { variant->on.fs, op_find("punch") } };
	const struct trial_spec unlink = { .on = { variant->on.fs, op_find("unlink") } };

	REQUIRE(return, trial_setup(&self->punch, &punch));
	REQUIRE(return, trial_setup(&self->unlink, &unlink));
}

FIXTURE_TEARDOWN(patience)
{
	trial_teardown(_metadata, &self->unlink);
	trial_teardown(_metadata, &self->punch);
}

TEST_F_TIMEOUT(patience, does_not_end, 60)
{
	struct trial *trials[] = { &self->punch, &self->unlink };

	for (size_t i = 0; i < ARRAY_SIZE(trials); i++) {
		REQUIRE(return, trial_hold(trials[i], 1));
		trial_start(trials[i]);
		ASSERT_BLOCKED(trials[i]);
	}
	ASSERT_EQ(0, poll(NULL, 0, PATIENCE_MS));
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++) {
		ASSERT_BLOCKED(trials[i]);
		REQUIRE(return, trial_release(trials[i], 1));
		ASSERT_COMPLETES(trials[i]);
	}
}

static void add_variants(void)
{
	VARIANTS_OF_FILESYSTEMS(patience, 0);
}

DAX_BREAK_MAIN(.variants = add_variants)
