// SPDX-License-Identifier: GPL-2.0
/*
 * P2, wakes: an operation that waits for a pinned page completes promptly after the last
 * reference has gone, though the page has been faulted in again during the wait, and
 * stays mapped.
 *
 * Each case runs an operation on a part of a file, with a page of it pinned:
 *
 *	refault		faulted in again by a store, with every operation
 *	refault_by	the same, once for each way to fault it in
 *	refault_pmd	the pin is of a page in the middle of a PMD, the fault of all of it
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

static void begin(struct __test_metadata *_metadata, struct trial *trial, unsigned int page)
{
	REQUIRE(return, trial_hold(trial, page));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
}

static void end(struct __test_metadata *_metadata, struct trial *trial, unsigned int page)
{
	trial->note = "the page faulted in again during the wait";
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, page));
	ASSERT_COMPLETES(trial);
}

FIXTURE(refault) {
	struct trial trial;
};

FIXTURE_VARIANT(refault) {
	struct fs_op on;
};

FIXTURE_SETUP(refault)
{
	const struct trial_spec spec = {
		.fs = variant->on.fs,
		.op = variant->on.op,
		.holder = "vmsplice",
	};

	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(refault)
{
	trial_teardown(_metadata, &self->trial);
}

TEST_F(refault, by_store)
{
	struct trial *trial = &self->trial;

	begin(_metadata, trial, 1);
	ASSERT_EQ(0, access_fault(&trial->file, 1)) {
		TH_LOG("P3 broken: during the wait of %s, %s", trial->op->name, why());
	}
	end(_metadata, trial, 1);
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
	const struct trial_spec spec = {
		.fs = variant->fs,
		.op = "punch",
		.holder = "vmsplice",
	};

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

/* How long it stays mapped then is up to the waiter, who may have been woken by the fault. */
FIXTURE(refault_pmd) {
	struct trial trial;
	unsigned int page;
};

FIXTURE_VARIANT(refault_pmd) {
	struct fs_op on;
};

FIXTURE_SETUP(refault_pmd)
{
	unsigned int pmd = dax_file_pmd_pages();
	const struct trial_spec spec = {
		.fs = variant->on.fs,
		.op = variant->on.op,
		.holder = "vmsplice",
		.pages = pmd + 16,
		.first = pmd / 2,
		.count = 8,
		.entries = DAX_PMD,
	};

	REQUIRE(return, trial_setup_pmd(&self->trial, &spec));
	self->page = spec.first + 2;
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

#include "aftermath_fixture.h"

int main(int argc, char **argv)
{
	/* A file on its way out of memory can no longer be faulted in. */
	VARIANTS_OF_OPS(refault, 0, OP_SPARES | OP_EVICTS);
	for (const struct filesystem *fs = filesystems; fs->name; fs++) {
		const FIXTURE_VARIANT(refault_pmd) pmd = { { fs->name, "punch" } };

		VARIANT_ADD(refault_pmd, pmd, "%s_punch", fs->name);
		for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
			const FIXTURE_VARIANT(refault_by) data = { fs->name, &ways[i] };

			VARIANT_ADD(refault_by, data, "%s_%s", fs->name, ways[i].name);
		}
	}
	return dax_break_main(argc, argv);
}
