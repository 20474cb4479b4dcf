// SPDX-License-Identifier: GPL-2.0
/*
 * P2, wakes: an operation that waits for pinned pages completes promptly after the last
 * reference has gone, whatever else has happened to the pages meanwhile.
 *
 * Each case runs an operation on pages 1 and 2 of a file of four, with page 1 pinned:
 *
 *	refault		the page is faulted in again during the wait, by a store, and
 *			stays mapped
 *	refault_by	the same, once for each way to fault it in
 *	sibling		its block is shared with another file, which maps it all along
 *	shared		operations on three files that share its block, at once
 *	batch		one request pins several pages, and drops them all at once
 *
 * Seen must be: asleep in the layout break while the pin is left, done after it has
 * gone. A mapping is no reason to go on waiting: nobody needs to unmap anything.
 *
 * Faults go on during the wait: the filesystems drop the lock that keeps them out
 * (ext4_wait_dax_page(), fs/ext4/inode.c; xfs_wait_dax_page(), fs/xfs/xfs_inode.c). A
 * page is busy if it has references besides those of its mappings (dax_busy_page(),
 * fs/dax.c), so a waiter that sleeps until it has none at all (dax_page_is_idle(),
 * include/linux/dax.h), woken by whoever drops the last one (free_zone_device_folio(),
 * mm/memremap.c), may sleep too long since 6.15, where mappings count as references.
 */
#include <sys/mman.h>

#include "access.h"
#include "call.h"
#include "dax_break.h"

static const char again[] = "page 1 faulted in again during the wait";

static int setup(struct trial *trial, const struct fs_op *on, const char *mapping)
{
	const struct trial_spec spec = {
		.fs = on->fs,
		.op = on->op,
		.holder = "vmsplice",
		.mapping = mapping,
	};

	return trial_setup(trial, &spec);
}

FIXTURE(refault) {
	struct trial trial;
};

FIXTURE_VARIANT(refault) {
	struct fs_op on;
};

FIXTURE_SETUP(refault)
{
	REQUIRE(return, setup(&self->trial, &variant->on, NULL));
}

FIXTURE_TEARDOWN(refault)
{
	trial_teardown(_metadata, &self->trial);
}

TEST_F(refault, by_store)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, trial_hold(trial, 1));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	ASSERT_EQ(0, access_fault(&trial->file, 1)) {
		TH_LOG("P3 broken: during the wait of %s, %s", trial->op->name, why());
	}
	trial->note = again;
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
}

/* Ways to fault page 1 in. What they map stays mapped. They return 0 or a negative errno. */
static int look(const struct trial *trial, const __u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED) == trial->file.content[1] ? 0 : -EIO;
}

static int by_load(const struct trial *trial)
{
	return look(trial, dax_file_page(&trial->file, 1));
}

static int map_and_look(const struct trial *trial, int flags)
{
	size_t len = trial->file.page_size;
	void *addr = mmap(NULL, len, PROT_READ, flags, trial->file.fd, len);

	return addr == MAP_FAILED ? -errno : look(trial, addr);
}

static int by_populate(const struct trial *trial)
{
	return map_and_look(trial, MAP_SHARED | MAP_POPULATE);
}

static int by_private(const struct trial *trial)
{
	return map_and_look(trial, MAP_PRIVATE);
}

struct way {
	const char *name;
	int (*fault)(const struct trial *trial);
};

static const struct way ways[] = {
	{ "load", by_load },
	{ "populate", by_populate },
	{ "private", by_private },
};

struct faulter {
	const struct way *way;
	const struct trial *trial;
};

FIXTURE(refault_by) {
	struct trial trial;
	struct faulter faulter;
	struct waiter other;		/* the other process */
};

FIXTURE_VARIANT(refault_by) {
	const char *fs;
	const struct way *way;
};

static int in_process(void *arg)
{
	const struct faulter *faulter = arg;

	return faulter->way->fault(faulter->trial);
}

static ssize_t in_thread(void *arg)
{
	int rc = in_process(arg);

	errno = -rc;
	return rc ? -1 : 0;
}

FIXTURE_SETUP(refault_by)
{
	const struct fs_op on = { variant->fs, "punch" };

	self->faulter = (struct faulter){ variant->way, &self->trial };
	REQUIRE(return, setup(&self->trial, &on, NULL));
	REQUIRE(return, waiter_fork(&self->other, "a fault", in_process, &self->faulter));
}

FIXTURE_TEARDOWN(refault_by)
{
	waiter_end(&self->other);
	trial_teardown(_metadata, &self->trial);
}

static void begin(struct __test_metadata *_metadata, struct trial *trial, unsigned int page)
{
	REQUIRE(return, trial_hold(trial, page));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
}

static void end(struct __test_metadata *_metadata, struct trial *trial, unsigned int page)
{
	trial->note = again;
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, page));
	ASSERT_COMPLETES(trial);
}

TEST_F(refault_by, own_process)
{
	struct trial *trial = &self->trial;

	begin(_metadata, trial, 1);
	ASSERT_EQ(0, call_bounded("a fault", in_thread, &self->faulter)) {
		TH_LOG("P3 broken: during the wait of %s, %s", trial->op->name, why());
	}
	end(_metadata, trial, 1);
}

TEST_F(refault_by, other_process)
{
	struct trial *trial = &self->trial;

	begin(_metadata, trial, 1);
	waiter_start(&self->other);
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(&self->other)) {
		TH_LOG("P3 broken: during the wait of %s, %s", trial->op->name,
		       waiter_describe(&self->other));
	}
	ASSERT_EQ(0, waiter_result(&self->other)) {
		TH_LOG("P3 broken: during the wait of %s, %s", trial->op->name,
		       waiter_describe(&self->other));
	}
	end(_metadata, trial, 1);
}

/*
 * The same with a PMD: the pin is of a page in its middle, the fault of all of it. (How
 * long it stays mapped then is up to the waiter, who may have been woken by the fault.)
 */
FIXTURE(refault_pmd) {
	struct trial trial;
	unsigned int page;
};

FIXTURE_VARIANT(refault_pmd) {
	struct fs_op on;
};

static int setup_large(struct trial *trial, const struct fs_op *on, const char *holder,
		       enum dax_entries entries)
{
	unsigned int pmd = dax_file_pmd_pages();
	const struct trial_spec spec = {
		.fs = on->fs,
		.op = on->op,
		.holder = holder,
		.pages = pmd + 16,
		.first = pmd / 2,
		.count = 8,
		.entries = entries,
	};

	return entries == DAX_PMD ? trial_setup_pmd(trial, &spec) : trial_setup(trial, &spec);
}

FIXTURE_SETUP(refault_pmd)
{
	REQUIRE(return, setup_large(&self->trial, &variant->on, "vmsplice", DAX_PMD));
	self->page = self->trial.spec.first + 2;
}

FIXTURE_TEARDOWN(refault_pmd)
{
	trial_teardown(_metadata, &self->trial);
}

TEST_F(refault_pmd, by_store)
{
	struct trial *trial = &self->trial;

	begin(_metadata, trial, self->page);
	ASSERT_EQ(0, access_fault(&trial->file, 0)) {
		TH_LOG("P3 broken: during the wait of %s, %s", trial->op->name, why());
	}
	end(_metadata, trial, self->page);
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
	REQUIRE(return, setup(&self->trial, &variant->on, "read_only"));
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
	REQUIRE(return, setup(&self->trial, &variant->on, "read_only"));
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
	const struct fs_op on = { variant->fs, "punch" };

	REQUIRE(return, setup_large(&self->trial, &on, variant->holder, variant->entries));
	self->first = self->trial.spec.first + 1;
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

	/* A file on its way out of memory can no longer be faulted in. */
	VARIANTS_OF_OPS(refault, 0, OP_SPARES | OP_EVICTS);
	for (const struct filesystem *fs = filesystems; fs->name; fs++) {
		const FIXTURE_VARIANT(refault_pmd) pmd = { { fs->name, "punch" } };
		bool shares = op_is_for(op_find("clone_range_from"), fs->name);

		VARIANT_ADD(refault_pmd, pmd, "%s_punch", fs->name);
		for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
			const FIXTURE_VARIANT(refault_by) data = { fs->name, &ways[i] };

			VARIANT_ADD(refault_by, data, "%s_%s", fs->name, ways[i].name);
		}
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
