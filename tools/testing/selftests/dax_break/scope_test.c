// SPDX-License-Identifier: GPL-2.0
/*
 * P4, precise: what a filesystem waits for although it need not. Recorded as a
 * fact, not a failure: whole-file layout breaks are what ext4 and XFS do today.
 *
 * Each case runs an operation on pages 1 and 2 of a file of four, with a page pinned
 *
 *	outside the range	page 0
 *	that stays		by an operation that takes no block away
 *
 * Seen must be: either done without waiting, or asleep in the layout break and
 * done after the pin has gone; and a file that looks as the operation promises.
 */
#include "dax_break.h"

FIXTURE(scope) {
	struct trial trial;
};

FIXTURE_VARIANT(scope) {
	struct fs_op on;
};

FIXTURE_SETUP(scope)
{
	const struct trial_spec spec = {
		.fs = variant->on.fs,
		.op = variant->on.op,
		.holder = "vmsplice",
		.pages = 4,
		.first = 1,
		.count = 2,
	};

	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(scope)
{
	trial_end(&self->trial);
}

/* Lines of this form are what the runner sums up at the end. */
#define RECORD(_fs, _fact, _op)	ksft_print_msg("recorded: %s %s: %s\n", _fs, _fact, _op)

static void record_wait(struct __test_metadata *_metadata, struct trial *trial, unsigned int page,
			const char *waits, const char *does_not)
{
	REQUIRE(return, trial_hold(trial, page));
	trial_start(trial);
	if (waiter_observe(&trial->waiter) == WAITER_DONE) {
		RECORD(trial->spec.fs, does_not, trial->op->name);
	} else {
		ASSERT_BLOCKED(trial, waiter_observe);
		RECORD(trial->spec.fs, waits, trial->op->name);
	}
	REQUIRE(return, trial_release(trial, page));
	ASSERT_COMPLETES(trial);
}

TEST_F(scope, pinned)
{
	struct trial *trial = &self->trial;

	if (trial->op->flags & OP_SPARES)
		record_wait(_metadata, trial, 1, "waits for a page that keeps its block",
			    "does not wait for a page that keeps its block");
	else
		record_wait(_metadata, trial, 0, "waits for a page outside the range",
			    "does not wait for a page outside the range");
}

int main(int argc, char **argv)
{
	for (const struct filesystem *fs = filesystems; fs->name; fs++)
		for (const struct op *op = ops; op->name; op++) {
			const FIXTURE_VARIANT(scope) data = { { fs->name, op->name } };

			if (op_is_for(op, fs->name) &&
			    (op->reach != OP_WHOLE || (op->flags & OP_SPARES)))
				VARIANT_ADD(scope, data, "%s_%s", fs->name, op->name);
		}
	return dax_break_main(argc, argv);
}
