// SPDX-License-Identifier: GPL-2.0
/*
 * P4, precise: an operation waits for pins of the pages that it affects, and for nothing
 * else.
 *
 * Each case runs an operation on pages 1 and 2 of a file of four, none of whose pages is
 * pinned. What must be seen: it returns 0 without ever sleeping in the layout break. These
 * are also the negative controls of P1: they show that it is the pin that makes an
 * operation wait there, not the mapping and not the machine.
 *
 * If a filesystem waits for a pin that it need not wait for, that is recorded as a fact,
 * not a failure: ext4 and XFS break the layout of the whole file today.
 *
 * dax_break_layout(), fs/dax.c: the return value when nothing is busy was undefined in
 * early versions of the series that introduced it.
 */
#include "dax_break.h"

TRIAL_FIXTURE(precise);

/* No page of the file has ever been mapped: nothing to look at. */
TEST_F(precise, never_mapped)
{
	trial_start(&self->trial);
	ASSERT_DOES_NOT_WAIT(&self->trial);
}

/* Every page is mapped and dirty, but a mapping is not a pin. */
TEST_F(precise, mapped)
{
	for (unsigned int page = 0; page < self->trial.file.pages; page++)
		dax_file_touch(&self->trial.file, page);
	trial_start(&self->trial);
	ASSERT_DOES_NOT_WAIT(&self->trial);
}

/* Pages that were pinned, but no longer are. */
TEST_F(precise, pins_gone)
{
	for (unsigned int page = 0; page < self->trial.file.pages; page++)
		REQUIRE(return, trial_hold(&self->trial, page));
	for (unsigned int page = 0; page < self->trial.file.pages; page++)
		REQUIRE(return, trial_release(&self->trial, page));
	trial_start(&self->trial);
	ASSERT_DOES_NOT_WAIT(&self->trial);
}

/* The pages of another file are pinned, which has nothing to do with the operation. */
FIXTURE(other_file) {
	struct trial trial;
	struct dax_file other;
};

FIXTURE_VARIANT_ON(other_file);

FIXTURE_SETUP(other_file)
{
	const struct trial_spec spec = { .on = variant->on };
	const struct dax_file_spec other = { .dir = testbed_dir(variant->on.fs), .pages = 4 };

	REQUIRE(return, trial_setup(&self->trial, &spec));
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
 * The same pins in the same filesystem, but of a file that is not DAX: its pages are in
 * the page cache, and are not its blocks, so the operation need not wait for them.
 */
TRIAL_FIXTURE(not_dax, .plain = true);

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
		BROKEN(P4_PRECISE, "%s", trial_describe(trial));
	}
	ASSERT_EQ(0, waiter_result(&trial->waiter)) {
		BROKEN(P4_PRECISE, "%s", trial_describe(trial));
	}
}

/*
 * A device is about to write to page 0, which the operation does not touch, or to page 1 if
 * the operation takes no block away. What must be seen: the operation is either done
 * without waiting, or asleep in the layout break and done after the device is. In any case
 * the file has what the device wrote, as it still owns the page (P5).
 */
TRIAL_FIXTURE(scope, .holder = HOLDER_DEVICE);

static void record_wait(struct __test_metadata *_metadata, struct trial *trial, unsigned int page,
			const char *waits, const char *does_not)
{
	REQUIRE(return, trial_hold(trial, page));
	trial_start(trial);
	if (waiter_observe(&trial->waiter) == WAITER_DONE) {
		RECORD(trial->spec.on.fs, does_not, trial->op->name);
	} else {
		ASSERT_BLOCKED(trial);
		RECORD(trial->spec.on.fs, waits, trial->op->name);
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

static void add_variants(void)
{
	VARIANTS_OF_OPS(precise, 0, 0, 0);
	/* An unmount is about all files. */
	VARIANTS_OF_OPS(other_file, 0, 0, OP_UNMOUNTS);
	VARIANTS_OF_OPS(not_dax, 0, 0, OP_UNMOUNTS);
	for (struct cases c = cases_of_ops(0, 0, 0); cases_next(&c);) {
		const FIXTURE_VARIANT(scope) data = { .on = c.on };

		/* An operation on the whole file leaves no page that it does not touch. */
		if (c.on.op->reach != OP_WHOLE || (c.on.op->flags & OP_SPARES))
			VARIANT_ADD(scope, data);
	}
}

DAX_BREAK_MAIN(.variants = add_variants)
