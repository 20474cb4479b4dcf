// SPDX-License-Identifier: GPL-2.0
/*
 * P4, precise: an operation waits for pins of what it affects, and for nothing
 * else.
 *
 * Each case runs an operation on pages 1 and 2 of a file of four with nothing of it
 * pinned. Seen must be: it returns 0 without ever sleeping in the layout break.
 * These are also the negative controls of P1: it is the pin that makes an
 * operation wait there, not the mapping and not the machine.
 *
 * What a filesystem waits for although it need not is recorded as a fact, not a
 * failure: layout breaks of the whole file are what ext4 and XFS do today.
 *
 * dax_break_layout(), fs/dax.c: the return value when nothing is busy was
 * undefined in early versions of the series that introduced it.
 */
#include "dax_break.h"

FIXTURE(precise) {
	struct trial trial;
};

FIXTURE_VARIANT(precise) {
	struct fs_op on;
};

static int setup(struct trial *trial, const struct fs_op *on, const char *holder, bool plain)
{
	const struct trial_spec spec = {
		.fs = on->fs,
		.op = on->op,
		.holder = holder,
		.plain = plain,
	};

	return trial_setup(trial, &spec);
}

FIXTURE_SETUP(precise)
{
	REQUIRE(return, setup(&self->trial, &variant->on, "vmsplice", false));
}

FIXTURE_TEARDOWN(precise)
{
	trial_teardown(_metadata, &self->trial);
}

/* No page of the file has ever been mapped: nothing to look at. */
TEST_F(precise, never_mapped)
{
	trial_start(&self->trial);
	ASSERT_DOES_NOT_WAIT(&self->trial);
}

/* Every page is mapped and dirty, but a mapping is no pin. */
TEST_F(precise, mapped)
{
	for (unsigned int page = 0; page < self->trial.file.pages; page++)
		dax_file_touch(&self->trial.file, page);
	trial_start(&self->trial);
	ASSERT_DOES_NOT_WAIT(&self->trial);
}

/* Pages that were pinned, but are no more. */
TEST_F(precise, pins_gone)
{
	for (unsigned int page = 0; page < self->trial.file.pages; page++)
		REQUIRE(return, trial_hold(&self->trial, page));
	for (unsigned int page = 0; page < self->trial.file.pages; page++)
		REQUIRE(return, trial_release(&self->trial, page));
	trial_start(&self->trial);
	ASSERT_DOES_NOT_WAIT(&self->trial);
}

/* With the pages of another file pinned, that has nothing to do with the operation. */
FIXTURE(other_file) {
	struct trial trial;
	struct dax_file other;
};

FIXTURE_VARIANT(other_file) {
	struct fs_op on;
};

FIXTURE_SETUP(other_file)
{
	const struct dax_file_spec other = { .dir = testbed_dir(variant->on.fs), .pages = 4 };

	REQUIRE(return, setup(&self->trial, &variant->on, "vmsplice", false));
	REQUIRE(return, dax_file_create(&self->other, &other));
	REQUIRE(return, dax_file_map(&self->other, "shared", DAX_PTE));
}

FIXTURE_TEARDOWN(other_file)
{
	trial_teardown(_metadata, &self->trial);
	dax_file_close(&self->other, false);
}

TEST_F(other_file, pinned)
{
	struct dax_file *other = &self->other;

	for (unsigned int page = 0; page < other->pages; page++) {
		dax_file_touch(&self->trial.file, page);
		REQUIRE(return, holder_hold(&self->trial.holder, page, dax_file_page(other, page),
					    other->page_size));
	}
	trial_start(&self->trial);
	ASSERT_DOES_NOT_WAIT(&self->trial);
}

/*
 * The same pins in the same filesystem, but of a file that is not DAX: its pages are
 * the page cache's, not its blocks, so nobody has to wait for them.
 */
FIXTURE(not_dax) {
	struct trial trial;
};

FIXTURE_VARIANT(not_dax) {
	struct fs_op on;
};

FIXTURE_SETUP(not_dax)
{
	REQUIRE(return, setup(&self->trial, &variant->on, "vmsplice", true));
}

FIXTURE_TEARDOWN(not_dax)
{
	trial_teardown(_metadata, &self->trial);
}

TEST_F(not_dax, pinned)
{
	struct trial *trial = &self->trial;

	for (unsigned int page = 0; page < trial->file.pages; page++) {
		dax_file_touch(&trial->file, page);
		REQUIRE(return, holder_hold(&trial->holder, page,
					    dax_file_page(&trial->file, page),
					    trial->file.page_size));
	}
	trial_start(trial);
	ASSERT_EQ(WAITER_DONE, waiter_observe(&trial->waiter)) {
		TH_LOG("P4 broken: %s", trial_describe(trial));
	}
	ASSERT_EQ(0, waiter_result(&trial->waiter)) {
		TH_LOG("P4 broken: %s", trial_describe(trial));
	}
}

/*
 * With a device about to write to a page that the operation does not touch, page 0, or
 * with an operation that takes no block away. Seen must be: either done without waiting,
 * or asleep in the layout break, and done after the device is; and in any case what it
 * wrote, as the file still owns the page (P5).
 */
FIXTURE(scope) {
	struct trial trial;
};

FIXTURE_VARIANT(scope) {
	struct fs_op on;
};

FIXTURE_SETUP(scope)
{
	REQUIRE(return, setup(&self->trial, &variant->on, HOLDER_DEVICE, false));
}

FIXTURE_TEARDOWN(scope)
{
	trial_teardown(_metadata, &self->trial);
}

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

#include "aftermath_fixture.h"

int main(int argc, char **argv)
{
	VARIANTS_OF_OPS(precise, 0, 0);
	/* An unmount is about all files. */
	VARIANTS_OF_OPS(other_file, 0, OP_UNMOUNTS);
	VARIANTS_OF_OPS(not_dax, 0, OP_UNMOUNTS);
	for (const struct filesystem *fs = filesystems; fs->name; fs++)
		for (const struct op *op = ops; op->name; op++) {
			const FIXTURE_VARIANT(scope) data = { { fs->name, op->name } };

			if (op_is_for(op, fs->name) && !(op->flags & OP_RARE) &&
			    (op->reach != OP_WHOLE || (op->flags & OP_SPARES)))
				VARIANT_ADD(scope, data, "%s_%s", fs->name, op->name);
		}
	return dax_break_main(argc, argv);
}
