// SPDX-License-Identifier: GPL-2.0
/*
 * P5, loses nothing, and P6, frozen clones: copy-on-write of a page that is pinned.
 *
 * Two files share their blocks. Page 1 of one file is pinned, for a device to read. Then
 * that page of the file is written to, and gets a new block. The pinned block now belongs to
 * the other file alone, and that file is truncated:
 *
 *	file	A0	A1 X	A2	A3		X: pinned
 *	write	        C1
 *	peer	A0	A1 X	A2	A3
 *	truncate|=======================>
 *
 *	cow	as above, by write(2) or by a fault; or with nothing pinned
 *	reload	nothing is written, but the pinned page is faulted in again
 *
 * What must be seen: the content of the pinned page does not change until the pin has gone.
 * Either the write waits for the pin, or the truncation of the peer does. If neither waits,
 * nobody owns the block any more, and the next file gets it, as nearly no block is free.
 *
 * dax_iomap_iter() and dax_insert_entry(), fs/dax.c, remove the entry of the shared page
 * from the mapping of the file that is written to.
 */
#include <sys/mman.h>

#include "dax_break.h"
#include "victim.h"

#define PAGES	4U
#define PAGE	1U

FIXTURE(cow) {
	struct trial trial;	/* clones the file to its peer */
	struct waiter write, truncate;
	struct victim victim;
};

FIXTURE_VARIANT(cow) {
	struct fs_op on;
	int (*write)(void *file);
};

static int by_write(void *arg)
{
	const struct dax_file *file = arg;

	return pwrite(file->fd, "cow", 3, PAGE * file->page_size) == 3 ? 0 : -errno;
}

/* Through a mapping of its own. */
static int by_fault(void *arg)
{
	const struct dax_file *file = arg;
	char *map = mmap(NULL, file->page_size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd,
			 PAGE * file->page_size);

	if (map == MAP_FAILED)
		return -errno;
	memcpy(map, "cow", 3);
	munmap(map, file->page_size);
	return 0;
}

static int truncate_file(void *arg)
{
	const struct dax_file *file = arg;

	return ftruncate(file->fd, 0) ? -errno : 0;
}

/*
 * Has the file share its blocks with the peer, and unmaps it again, so that the caller
 * can fork waiters before mapping it.
 */
static int share(struct trial *trial, const struct filesystem *fs)
{
	const struct trial_spec spec = { .on = { fs, op_find("clone_from") }, .pages = PAGES };
	int rc = trial_setup(trial, &spec);

	if (rc)
		return rc;
	trial_start(trial);
	if (waiter_observe_end(&trial->waiter) != WAITER_DONE || waiter_result(&trial->waiter))
		return why_set(EIO, "%s", trial_describe(trial));
	dax_file_unmap(&trial->file);
	return 0;
}

FIXTURE_SETUP(cow)
{
	struct trial *trial = &self->trial;

	/* victim_crowd() needs that. It comes first, so that a SKIP leaves no files behind. */
	REQUIRE(return, testbed_require_own(variant->on.fs));
	REQUIRE(return, share(trial, variant->on.fs));
	REQUIRE(return, waiter_fork(&self->write, "the write", variant->write, &trial->file));
	REQUIRE(return, waiter_fork(&self->truncate, "truncation of the peer", truncate_file,
				    &trial->peer));
	REQUIRE(return, victim_crowd(&self->victim, variant->on.fs));
	REQUIRE(return, dax_file_map(&trial->file, "read_only", DAX_PTE));
}

FIXTURE_TEARDOWN(cow)
{
	holder_close(&self->trial.holder);
	waiter_end(&self->write);
	waiter_end(&self->truncate);
	trial_teardown(_metadata, &self->trial);
	victim_end(&self->victim);
}

/*
 * Has the waiter returned with the page still pinned? If it waits instead, all is well: the
 * page is released, and the waiter must complete.
 */
static bool returned(struct __test_metadata *_metadata, struct waiter *waiter,
		     struct holder *holder)
{
	bool filled;
	__u64 word;

	waiter_start(waiter);
	if (waiter_observe(waiter) != WAITER_DONE) {
		EXPECT_TRUE(waiter->seen == WAITER_BLOCKED) {
			BROKEN(P2_WAKES, "%s, with page %u pinned", waiter_describe(waiter), PAGE);
		}
		EXPECT_EQ(0, holder_release(holder, PAGE, &filled, &word));
		EXPECT_EQ(WAITER_DONE, waiter_observe_end(waiter)) {
			BROKEN(P2_WAKES, "%s, with nothing pinned", waiter_describe(waiter));
		}
	}
	EXPECT_EQ(0, waiter_result(waiter)) {
		BROKEN(P5_LOSES_NOTHING, "%s", waiter_describe(waiter));
	}
	return holder_lowest(holder) >= 0;
}

TEST_F(cow, pinned)
{
	struct trial *trial = &self->trial;
	struct dax_file *file = &trial->file;
	__u64 physical = dax_file_physical(file, PAGE);
	unsigned char before, after;
	long page;

	dax_file_touch(file, PAGE);
	REQUIRE(return, holder_hold(&trial->holder, PAGE, dax_file_page(file, PAGE),
				    file->page_size));
	REQUIRE(return, holder_look(&trial->holder, PAGE, &before));
	if (!returned(_metadata, &self->write, &trial->holder))
		return;
	victim_recount(&self->victim);
	if (!returned(_metadata, &self->truncate, &trial->holder))
		return;
	REQUIRE(return, victim_take(&self->victim));
	page = victim_page_at(&self->victim, physical);
	REQUIRE(return, holder_look(&trial->holder, PAGE, &after));
	/* One of the two should have waited until nothing was pinned. */
	EXPECT_EQ(-1, holder_lowest(&trial->holder)) {
		BROKEN(P1_WAITS, "neither %s nor %s waited", self->write.name,
		       self->truncate.name);
	}
	ASSERT_FALSE(page >= 0 || after != before) {
		BROKEN(P5_LOSES_NOTHING, "what is pinned is page %ld of another file: %#x, not %#x",
		       page, after, before);
	}
}

/*
 * Control, and P9: the page is mapped, but not pinned. The mapping must show what was
 * written, and the peer must not.
 */
TEST_F(cow, not_pinned)
{
	struct trial *trial = &self->trial;
	char *map = dax_file_page(&trial->file, PAGE), peer[3];

	dax_file_touch(&trial->file, PAGE);
	waiter_start(&self->write);
	ASSERT_EQ(WAITER_DONE, waiter_observe(&self->write)) {
		BROKEN(P4_PRECISE, "%s, with nothing pinned", waiter_describe(&self->write));
	}
	ASSERT_EQ(0, waiter_result(&self->write)) {
		BROKEN(P5_LOSES_NOTHING, "%s", waiter_describe(&self->write));
	}
	ASSERT_EQ(0, memcmp(map, "cow", 3)) {
		BROKEN(P5_LOSES_NOTHING, "the mapping does not show what was written");
	}
	ASSERT_EQ(3, pread(trial->peer.fd, peer, 3, PAGE * trial->peer.page_size));
	ASSERT_NE(0, memcmp(peer, "cow", 3)) {
		BROKEN(P6_FROZEN_CLONES, "the peer shows what was written to the file");
	}
}

/*
 * P1, waits, and P9, quiet: nothing is written, but the pinned page is faulted in again,
 * through another mapping. For a shared extent dax_insert_entry() then replaces the entry
 * by one of the same page. The kernel must not take that for the end of a page in use,
 * and must still wait for the pin.
 */
FIXTURE(reload) {
	struct trial trial;
	struct waiter truncate;
};

FIXTURE_VARIANT_ON(reload);

FIXTURE_SETUP(reload)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, share(trial, variant->on.fs));
	REQUIRE(return, waiter_fork(&self->truncate, "truncate", truncate_file, &trial->file));
	REQUIRE(return, dax_file_map(&trial->file, "read_only", DAX_PTE));
}

FIXTURE_TEARDOWN(reload)
{
	holder_close(&self->trial.holder);
	waiter_end(&self->truncate);
	trial_teardown(_metadata, &self->trial);
}

TEST_F(reload, pinned)
{
	struct trial *trial = &self->trial;
	const struct dax_file *file = &trial->file;
	char *again;

	dax_file_touch(&trial->file, PAGE);
	REQUIRE(return, holder_hold(&trial->holder, PAGE, dax_file_page(file, PAGE),
				    file->page_size));
	again = mmap(NULL, file->page_size, PROT_READ, MAP_SHARED, file->fd,
		     PAGE * file->page_size);
	ASSERT_TRUE(again != MAP_FAILED);
	__atomic_load_n(again, __ATOMIC_RELAXED);
	munmap(again, file->page_size);
	waiter_start(&self->truncate);
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&self->truncate)) {
		BROKEN(P1_WAITS, "%s, with page %u pinned, and faulted in again",
		       waiter_describe(&self->truncate), PAGE);
	}
}

static void add_variants(void)
{
	for (struct cases c = cases_of_filesystems(FS_REFLINK); cases_next(&c);) {
		const FIXTURE_VARIANT(cow) write = { c.on, by_write };
		const FIXTURE_VARIANT(cow) fault = { c.on, by_fault };

		VARIANT_ADD_AS(cow, write, "write");
		VARIANT_ADD_AS(cow, fault, "fault");
	}
	VARIANTS_OF_FILESYSTEMS(reload, FS_REFLINK);
}

DAX_BREAK_MAIN(.variants = add_variants)
