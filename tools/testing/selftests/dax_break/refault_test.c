// SPDX-License-Identifier: GPL-2.0
/*
 * P2, wakes: an operation that waits for a pinned page completes promptly after the last
 * reference has gone, even if the page has been faulted in again during the wait, and
 * stays mapped.
 *
 * Each case pins a page, has an operation on it wait, and faults the page in again:
 *
 *	refault		by a store, for every operation
 *	refault_by	in each of several ways, in the same process and in another one
 *	refault_pmd	the page is in the middle of a PMD, all of which is faulted in
 *
 * What must be seen: the operation is asleep in the layout break while the page is pinned,
 * and done after the pin has gone. A mapping is no reason to go on waiting.
 *
 * Faults go on during the wait, since the filesystems drop the lock that keeps them out
 * (ext4_wait_dax_page(), fs/ext4/inode.c; xfs_wait_dax_page(), fs/xfs/xfs_inode.c). A
 * page is busy if it has more references than mappings (dax_busy_page(), fs/dax.c). But
 * the waiter sleeps until the page has no reference at all (dax_page_is_idle(),
 * include/linux/dax.h), and is woken by the task that drops the last one
 * (free_zone_device_folio(), mm/memremap.c). Since 6.15 a mapping is a reference, too,
 * so the waiter may sleep too long.
 */
#include <sys/mman.h>

#include "call.h"
#include "dax_break.h"

static void begin(struct __test_metadata *_metadata, struct trial *trial, unsigned int page)
{
	REQUIRE(return, trial_hold(trial, page));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
}

static void end(struct __test_metadata *_metadata, struct trial *trial, unsigned int page)
{
	trial_situation(trial, "the page faulted in again during the wait");
	ASSERT_BLOCKED(trial);
	REQUIRE(return, trial_release(trial, page));
	ASSERT_COMPLETES(trial);
}

TRIAL_FIXTURE(refault);

TEST_F(refault, by_store)
{
	struct trial *trial = &self->trial;

	begin(_metadata, trial, 1);
	ASSERT_KEPT(P3_YIELDS, access_fault(&trial->file, 1), "during the wait of %s",
		    trial->op->name);
	end(_metadata, trial, 1);
}

/*
 * Ways to fault page 1 in. What they map stays mapped. They return 0 or a negative errno.
 */
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
	struct waiter other;	/* the other process */
};

FIXTURE_VARIANT(refault_by) {
	struct fs_op on;	/* only a filesystem: the operation is always the same */
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
	const struct trial_spec spec = { .on = { variant->on.fs, op_find("punch") } };

	self->faulter = (struct faulter){ variant->way, &self->trial };
	REQUIRE(return, trial_setup(&self->trial, &spec));
	REQUIRE(return, waiter_fork(&self->other, "a fault", in_process, &self->faulter));
}

FIXTURE_TEARDOWN(refault_by)
{
	waiter_end(&self->other);
	trial_teardown(_metadata, &self->trial);
}

TEST_F(refault_by, own_process)
{
	struct trial *trial = &self->trial;

	begin(_metadata, trial, 1);
	ASSERT_KEPT(P3_YIELDS, call_bounded("a fault", in_thread, &self->faulter),
		    "during the wait of %s", trial->op->name);
	end(_metadata, trial, 1);
}

TEST_F(refault_by, other_process)
{
	struct trial *trial = &self->trial;

	begin(_metadata, trial, 1);
	waiter_start(&self->other);
	ASSERT_RETURNS(P3_YIELDS, 0, &self->other, trial_describe(trial));
	end(_metadata, trial, 1);
}

/*
 * How long the PMD stays mapped depends on the waiter, which the fault may have woken.
 * Without PMDs the test is skipped.
 */
TRIAL_FIXTURE(refault_pmd, .entries = DAX_PMD, .pages = dax_file_pmd_pages() + 16,
	      .first = dax_file_pmd_pages() / 2, .count = 8);

TEST_F(refault_pmd, by_store)
{
	struct trial *trial = &self->trial;
	unsigned int page = trial_first(trial) + 2;

	begin(_metadata, trial, page);
	ASSERT_KEPT(P3_YIELDS, access_fault(&trial->file, 0), "during the wait of %s",
		    trial->op->name);
	end(_metadata, trial, page);
}

static void add_variants(void)
{
	/* A file on its way out of memory can no longer be faulted in. */
	VARIANTS_OF_OPS(refault, 0, 0, OP_SPARES | OP_EVICTS);
	for (struct cases c = cases_of_filesystems(0); cases_next(&c);)
		for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
			const FIXTURE_VARIANT(refault_by) data = { c.on, &ways[i] };

			VARIANT_ADD_AS(refault_by, data, "%s", ways[i].name);
		}
	VARIANTS_OF_OPS(refault_pmd, 0, OP_SAMPLE, OP_EVICTS);
}

DAX_BREAK_MAIN(.variants = add_variants)
