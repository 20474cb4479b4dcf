// SPDX-License-Identifier: GPL-2.0
/*
 * P2, wakes: an operation that waits for pinned pages completes promptly after the last
 * reference has gone, whoever else has the block, and however many go at once.
 *
 * Each case runs an operation on pages 1 and 2 of a file of four, with page 1 pinned:
 *
 *	sibling		its block is shared with another file, which maps it all along
 *	shared		operations on three files that share its block, at once
 *	batch		one request pins several pages, and drops them all at once
 *
 * Seen must be: asleep in the layout break while the pin is left, done after it has
 * gone. A mapping is no reason to go on waiting: nobody needs to unmap anything.
 *
 * dax_busy_page() and dax_folio_is_shared(), fs/dax.c; free_zone_device_folio(),
 * mm/memremap.c, wakes.
 */
#include "dax_break.h"

static int setup(struct trial *trial, const struct fs_op *on)
{
	const struct trial_spec spec = {
		.fs = on->fs,
		.op = on->op,
		.holder = "vmsplice",
		.mapping = "read_only",
	};

	return trial_setup(trial, &spec);
}

/*
 * Blocks of pages 1 and 2 that @trial's file shares with others: a clone of these pages,
 * mapped and faulted in, read-only.
 */
static int share_with(struct trial *trial, struct dax_file *other)
{
	const struct dax_file_spec spec = { .dir = testbed_dir(trial->spec.fs), .pages = 4 };
	struct op_target target = trial->target;
	int rc = dax_file_create(other, &spec);

	if (rc)
		return rc;
	target.peer = other->fd;
	target.start = other->page_size;
	target.len = 2 * other->page_size;
	rc = op_find("clone_range_from")->run(&target);
	return rc ? why_set(-rc, "cannot clone: %s", strerror(-rc)) : 0;
}

static int map_shared(struct dax_file *file)
{
	int rc = dax_file_map(file, "read_only", DAX_PTE);

	for (unsigned int page = 0; !rc && page < file->pages; page++)
		dax_file_touch(file, page);
	return rc;
}

/* Not trial_hold(), whose control writes to the page: its block would be a new one. */
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

FIXTURE_VARIANT(sibling) {
	struct fs_op on;
};

FIXTURE_SETUP(sibling)
{
	REQUIRE(return, setup(&self->trial, &variant->on));
	REQUIRE(return, share_with(&self->trial, &self->other));
	REQUIRE(return, map_shared(&self->other));
}

/* The sibling's mapping first: an eviction may be waiting for it, unkillable. */
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
	ASSERT_BLOCKED(trial, waiter_observe);
	trial->note = "a file that shares its block mapped";
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
 * Operations on three files that share the pinned block. Only that on the file through
 * which it is pinned has to wait: until all three are done the block is somebody's. But
 * if the others do, the one release has to wake them all.
 */
#define OTHERS	2

FIXTURE(shared) {
	struct trial trial;
	struct dax_file files[OTHERS];
	struct waiter waiters[OTHERS];
};

FIXTURE_VARIANT(shared) {
	struct fs_op on;
};

static int truncate_to_page_1(void *arg)
{
	const struct dax_file *file = arg;
	const struct op_target target = { .fd = file->fd, .start = file->page_size };

	return op_find("truncate")->run(&target);
}

FIXTURE_SETUP(shared)
{
	REQUIRE(return, setup(&self->trial, &variant->on));
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
	ASSERT_BLOCKED(trial, waiter_observe);
	for (int i = 0; i < OTHERS; i++) {
		struct waiter *waiter = &self->waiters[i];
		int seen;

		waiter_start(waiter);
		seen = waiter_observe(waiter);
		ASSERT_TRUE(seen == WAITER_BLOCKED || seen == WAITER_DONE) {
			TH_LOG("P2 broken: %s, its block pinned through another file",
			       waiter_describe(waiter));
		}
	}
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
	for (int i = 0; i < OTHERS; i++) {
		struct waiter *waiter = &self->waiters[i];

		ASSERT_EQ(WAITER_DONE, waiter_observe_end(waiter)) {
			TH_LOG("P2 broken: %s, with nothing pinned, one of several waiters",
			       waiter_describe(waiter));
		}
		ASSERT_EQ(0, waiter_result(waiter)) {
			TH_LOG("P2 broken: %s", waiter_describe(waiter));
		}
	}
}

/*
 * One request pins several pages, by one entry or by several, and its end drops all
 * references at once, which is not the sum of dropping them one by one: of a
 * large folio it is one subtraction (gup_put_folio(), mm/gup.c; folios_put_refs(),
 * mm/swap.c).
 */
#define BATCH	4

FIXTURE(batch) {
	struct trial trial;
	unsigned int first;
};

FIXTURE_VARIANT(batch) {
	const char *fs, *holder;
	enum dax_entries entries;
};

FIXTURE_SETUP(batch)
{
	unsigned int pmd = dax_file_pmd_pages();
	const struct trial_spec spec = {
		.fs = variant->fs,
		.op = "punch",
		.holder = variant->holder,
		.pages = pmd + 16,
		.first = pmd / 2,
		.count = 8,
		.entries = variant->entries,
	};

	REQUIRE(return, variant->entries == DAX_PMD ? trial_setup_pmd(&self->trial, &spec) :
						      trial_setup(&self->trial, &spec));
	self->first = spec.first + 1;
}

FIXTURE_TEARDOWN(batch)
{
	trial_teardown(_metadata, &self->trial);
}

TEST_F(batch, at_once)
{
	struct trial *trial = &self->trial;
	struct dax_file *file = &trial->file;

	for (unsigned int i = 0; i < BATCH; i++)
		dax_file_touch(file, self->first + i);
	REQUIRE(return, holder_hold(&trial->holder, self->first,
				    dax_file_page(file, self->first), BATCH * file->page_size));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	trial->note = "of several in one request";
	REQUIRE(return, trial_release(trial, self->first));
	ASSERT_COMPLETES(trial);
}

#include "aftermath_fixture.h"

int main(int argc, char **argv)
{
	/* Operations in which a shared block can be left behind, or met again. */
	static const char *const sibling_ops[] = {
		"truncate", "punch", "unshare", "clone_to", "unlink",
	};
	/* The holders that one request can have several pages of. */
	static const char *const batch_holders[] = {
		"vmsplice", "tee", "fuse_read", "zerocopy",
		"dio_read", "dio_write", "aio_read", "uring_write", "fixed_read", "fixed_commit",
	};

	for (const struct filesystem *fs = filesystems; fs->name; fs++) {
		bool shares = op_is_for(op_find("clone_range_from"), fs->name);

		for (size_t i = 0; shares && i < ARRAY_SIZE(sibling_ops); i++) {
			const FIXTURE_VARIANT(sibling) data = { { fs->name, sibling_ops[i] } };

			VARIANT_ADD(sibling, data, "%s_%s", fs->name, sibling_ops[i]);
		}
		if (shares) {
			const FIXTURE_VARIANT(shared) data = { { fs->name, "truncate" } };

			VARIANT_ADD(shared, data, "%s_truncate", fs->name);
		}
		for (size_t i = 0; i < ARRAY_SIZE(batch_holders); i++)
			for (int entries = DAX_PTE; entries <= DAX_PMD; entries++) {
				const FIXTURE_VARIANT(batch) data = {
					fs->name, batch_holders[i], entries,
				};

				VARIANT_ADD(batch, data, "%s_%s_%s", fs->name, batch_holders[i],
					    entries == DAX_PMD ? "pmd" : "pte");
			}
	}
	return dax_break_main(argc, argv);
}
