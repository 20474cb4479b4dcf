// SPDX-License-Identifier: GPL-2.0
/*
 * P1, waits: for as long as it takes. No other test holds a pin longer than it takes
 * to see the operation asleep, so none would notice one that gives up after a while.
 *
 * Each case pins page 1 in two files of four, punches a hole into the one and deletes
 * the other: with an inode that lives on, dax_break_layout() waits, with one on its
 * way out of memory dax_break_layout_final(), both in fs/dax.c, for all operations
 * that there are. Both pins are held at the same time, for PATIENCE_MS.
 *
 * Seen must be: asleep in the layout break after that time, done once the pin has gone.
 */
#include <poll.h>

#include "dax_break.h"

/*
 * More than the times that a kernel would think of: one, five, or ten seconds. This is
 * the one test that takes time; it is no guess at when something will have happened.
 */
#define PATIENCE_MS	12000

FIXTURE(patience) {
	/* The deleted one last: the process of one that came later would have it open. */
	struct trial punch, unlink;
};

FIXTURE_VARIANT(patience) {
	const char *fs;
};

static int setup(struct trial *trial, const char *fs, const char *op)
{
	const struct trial_spec spec = {
		.fs = fs,
		.op = op,
		.holder = "vmsplice",
	};

	return trial_setup(trial, &spec);
}

FIXTURE_SETUP(patience)
{
	REQUIRE(return, setup(&self->punch, variant->fs, "punch"));
	REQUIRE(return, setup(&self->unlink, variant->fs, "unlink"));
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
		ASSERT_BLOCKED(trials[i], waiter_observe);
	}
	ASSERT_EQ(0, poll(NULL, 0, PATIENCE_MS));
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++) {
		ASSERT_BLOCKED(trials[i], waiter_observe);
		REQUIRE(return, trial_release(trials[i], 1));
		ASSERT_COMPLETES(trials[i]);
	}
}

int main(int argc, char **argv)
{
	for (const struct filesystem *fs = filesystems; fs->name; fs++) {
		const FIXTURE_VARIANT(patience) data = { fs->name };

		VARIANT_ADD(patience, data, "%s", fs->name);
	}
	return dax_break_main(argc, argv);
}
