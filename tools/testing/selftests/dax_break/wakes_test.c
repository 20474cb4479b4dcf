// SPDX-License-Identifier: GPL-2.0
/*
 * P2, wakes: an operation that waits for pinned pages completes promptly after the last
 * reference has gone, even if other files have the block, or many references go at once.
 *
 * Each case runs an operation on pages 1 and 2 of a file of four, with page 1 pinned:
 *
 *	sibling		its block is shared with another file, which maps it all along
 *	shared		operations on three files that share its block, at once
 *	batch		one request pins several pages, and drops them all at once
 *
 * What must be seen: the operation is asleep in the layout break while the pin is left, and
 * done after it has gone. A mapping is no reason to go on waiting.
 *
 * dax_busy_page() and dax_folio_is_shared(), fs/dax.c, decide what is busy;
 * free_zone_device_folio(), mm/memremap.c, wakes the waiter.
 */
#include "dax_break.h"

/*
 * Creates @other, which shares the blocks of pages 1 and 2 with @trial's file: a clone of
 * these pages.
 */
static int share_with(struct trial *trial, struct dax_file *other)
{
	const struct dax_file_spec spec = { .dir = testbed_dir(trial->spec.on.fs), .pages = 4 };
	struct op_target target = trial->target;
	int rc = dax_file_create(other, &spec);

	if (rc)
		return rc;
	target.peer = other->fd;
	target.start = other->page_size;
	target.len = 2 * other->page_size;
	rc = op_run(op_find("clone_range_from"), &target);
	return rc ? why_set(-rc, "cannot clone: %s", strerror(-rc)) : 0;
}

static int map_shared(struct dax_file *file)
{
	int rc = dax_file_map(file, "read_only", DAX_PTE);

	for (unsigned int page = 0; !rc && page < file->pages; page++)
		dax_file_touch(file, page);
	return rc;
}

/* trial_hold() would not do: its control writes to the page, which gives it a new block. */
static int hold_shared(struct trial *trial)
{
	struct dax_file *file = &trial->file;

	dax_file_touch(file, 1);
	return holder_hold(&trial->holder, 1, dax_file_page(file, 1), file->page_size);
}

FIXTURE(sibling) {
	struct trial trial;
	struct dax_file other;
};

FIXTURE_VARIANT_ON(sibling);

FIXTURE_SETUP(sibling)
{
	const struct trial_spec spec = { .on = variant->on, .mapping = "read_only" };

	REQUIRE(return, trial_setup(&self->trial, &spec));
	REQUIRE(return, share_with(&self->trial, &self->other));
	REQUIRE(return, map_shared(&self->other));
}

/* The sibling's mapping goes first: an eviction may wait for it, unkillable. */
FIXTURE_TEARDOWN(sibling)
{
	dax_file_unmap(&self->other);
	trial_teardown(_metadata, &self->trial);
	dax_file_close(&self->other, false);
}

TEST_F(sibling, mapped)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, hold_shared(trial));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	trial_situation(trial, "a file that shares its block mapped");
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
}

/* P4: with nothing pinned, the sibling's mapping alone is no reason to wait. */
TEST_F(sibling, not_pinned)
{
	struct trial *trial = &self->trial;

	dax_file_touch(&trial->file, 1);
	trial_start(trial);
	ASSERT_DOES_NOT_WAIT(trial);
}

/*
 * Operations on three files that share the pinned block. Only the operation on the file
 * through which it is pinned has to wait: the block has an owner until all three are done.
 * But if the others wait as well, the one release has to wake them all.
 */
#define OTHERS	2

FIXTURE(shared) {
	struct trial trial;
	struct dax_file files[OTHERS];
	struct waiter waiters[OTHERS];
};

FIXTURE_VARIANT_ON(shared);

static int truncate_to_page_1(void *arg)
{
	const struct dax_file *file = arg;
	const struct op_target target = { .fd = file->fd, .start = file->page_size };

	return op_run(op_find("truncate"), &target);
}

FIXTURE_SETUP(shared)
{
	const struct trial_spec spec = { .on = variant->on, .mapping = "read_only" };

	REQUIRE(return, trial_setup(&self->trial, &spec));
	for (int i = 0; i < OTHERS; i++)
		REQUIRE(return, share_with(&self->trial, &self->files[i]));
	for (int i = 0; i < OTHERS; i++)
		REQUIRE(return, waiter_fork(&self->waiters[i], "truncate", truncate_to_page_1,
					    &self->files[i]));
	for (int i = 0; i < OTHERS; i++)
		REQUIRE(return, map_shared(&self->files[i]));
}

FIXTURE_TEARDOWN(shared)
{
	for (int i = 0; i < OTHERS; i++)
		dax_file_unmap(&self->files[i]);
	trial_teardown(_metadata, &self->trial);
	for (int i = 0; i < OTHERS; i++)
		dax_file_close(&self->files[i], !waiter_end(&self->waiters[i]));
}

TEST_F(shared, several_waiters)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, hold_shared(trial));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	for (int i = 0; i < OTHERS; i++) {
		struct waiter *waiter = &self->waiters[i];
		int seen;

		waiter_start(waiter);
		seen = waiter_observe(waiter);
		ASSERT_TRUE(seen == WAITER_BLOCKED || seen == WAITER_DONE) {
			BROKEN(P2_WAKES, "%s, its block pinned through another file",
			       waiter_describe(waiter));
		}
	}
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
	for (int i = 0; i < OTHERS; i++)
		ASSERT_RETURNS(P2_WAKES, 0, &self->waiters[i],
			       "with nothing pinned, one of several waiters");
}

/*
 * One request pins several pages, which have one entry or several. Its end drops all
 * references at once, which differs from dropping them one by one: for a large folio it is
 * one subtraction (gup_put_folio(), mm/gup.c; folios_put_refs(), mm/swap.c).
 */
#define BATCH	4

TRIAL_FIXTURE(batch, .on.op = op_find("punch"), .pages = dax_file_pmd_pages() + 16,
	      .first = dax_file_pmd_pages() / 2, .count = 8);

TEST_F(batch, at_once)
{
	struct trial *trial = &self->trial;
	struct dax_file *file = &trial->file;
	unsigned int first = trial_first(trial) + 1;

	for (unsigned int i = 0; i < BATCH; i++)
		dax_file_touch(file, first + i);
	REQUIRE(return, holder_hold(&trial->holder, first, dax_file_page(file, first),
				    BATCH * file->page_size));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	trial_situation(trial, "of several in one request");
	REQUIRE(return, trial_release(trial, first));
	ASSERT_COMPLETES(trial);
}

static void add_batches(const struct filesystem *fs, const char *holder)
{
	const FIXTURE_VARIANT(batch) by_pte = { { .fs = fs }, holder, .entries = DAX_PTE };
	const FIXTURE_VARIANT(batch) by_pmd = { { .fs = fs }, holder, .entries = DAX_PMD };

	VARIANT_ADD_AS(batch, by_pte, "%s_pte", holder);
	VARIANT_ADD_AS(batch, by_pmd, "%s_pmd", holder);
}

static void add_variants(void)
{
	VARIANTS_OF_OPS(sibling, FS_REFLINK, OP_MEETS_SHARED, 0);
	for (struct cases c = cases_of_filesystems(FS_REFLINK); cases_next(&c);) {
		const FIXTURE_VARIANT(shared) data = { { c.on.fs, op_find("truncate") } };

		VARIANT_ADD(shared, data);
	}
	for (struct cases c = cases_of_filesystems(0); cases_next(&c);)
		for (const struct holder_ops *h = holder_next(NULL); h; h = holder_next(h))
			if (h->flags & HOLDER_BATCH)
				add_batches(c.on.fs, h->name);
}

DAX_BREAK_MAIN(.variants = add_variants)
