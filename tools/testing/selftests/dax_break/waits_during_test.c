// SPDX-License-Identifier: GPL-2.0
/*
 * P1, waits: also for DMA that begins while the operation already waits.
 *
 * Each case runs an operation on pages 2 to 5 of a file of eight with one of them
 * pinned, and pins another one once the operation is blocked: faults go on during
 * the wait. Then the first pin goes.
 *
 *	page			2	3	4	5
 *	pinned before		.	.	X	.
 *	pinned during the wait	X	.	.	.	before; or behind: 5
 *
 * Seen must be: it looks at the whole range again and waits for the new pin, too.
 *
 * The loop of dax_break_layout(), fs/dax.c, starts over from the beginning.
 */
#include "dax_break.h"

FIXTURE(during) {
	struct trial trial;
};

FIXTURE_VARIANT(during) {
	struct fs_op on;
};

FIXTURE_SETUP(during)
{
	const struct trial_spec spec = {
		.fs = variant->on.fs,
		.op = variant->on.op,
		.holder = "vmsplice",
		.pages = 8,
		.first = 2,
		.count = 4,
	};

	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(during)
{
	trial_end(&self->trial);
}

static void pinned_during_wait(struct __test_metadata *_metadata, struct trial *trial,
			       unsigned int before, unsigned int during)
{
	REQUIRE(return, trial_hold(trial, before));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_hold_aside(trial, during));
	REQUIRE(return, trial_release(trial, before));
	ASSERT_BLOCKED(trial, waiter_observe_again);
	REQUIRE(return, trial_release(trial, during));
	ASSERT_COMPLETES(trial);
}

TEST_F(during, pinned_behind)
{
	pinned_during_wait(_metadata, &self->trial, 4, 5);
}

TEST_F(during, pinned_before)
{
	pinned_during_wait(_metadata, &self->trial, 4, 2);
}

int main(int argc, char **argv)
{
	/* A file on its way out of memory can no longer be faulted in. */
	VARIANTS_OF_OPS(during, 0, OP_SPARES | OP_EVICTS);
	return dax_break_main(argc, argv);
}
