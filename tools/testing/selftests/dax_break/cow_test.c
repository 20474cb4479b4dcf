// SPDX-License-Identifier: GPL-2.0
/*
 * P5 and P6: copy-on-write of a page that is pinned.
 *
 * Two files share their blocks. A page of one is pinned, to be read by a device; then it
 * is written to, so it gets a block of its own, and what is pinned is the other file's
 * block alone:
 *
 *	file	A0	A1 X	A2	A3		X: pinned
 *	write	        C1
 *	peer	A0	A1 X	A2	A3
 *	truncate|=======================>
 *
 * Seen must be: what is pinned stays as it was until the pin has gone. Either the write
 * waits for that, or the truncation of the peer does. If neither does, the block has no
 * owner; the filesystem is so crowded that the next file gets it.
 *
 * dax_iomap_iter() and dax_insert_entry(), fs/dax.c, take the shared page's entry out of
 * the mapping of the file that is written to.
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
	const char *fs;
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

/* Shares the blocks; who shall wait is to be forked next, and only then the file mapped. */
static int share(struct trial *trial, const char *fs)
{
	const struct trial_spec spec = {
		.fs = fs,
		.op = "clone_from",
		.holder = "vmsplice",
		.pages = PAGES,
	};
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

	REQUIRE(return, share(trial, variant->fs));
	REQUIRE(return, waiter_fork(&self->write, "the write", variant->write, &trial->file));
	REQUIRE(return, waiter_fork(&self->truncate, "truncation of the peer", truncate_file,
				    &trial->peer));
	REQUIRE(return, victim_crowd(&self->victim, variant->fs));
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

/* Has it returned? If it waits instead, all is well, and it must go on after the pin. */
static bool returned(struct __test_metadata *_metadata, struct waiter *waiter,
		     struct holder *holder)
{
	bool filled;
	__u64 word;

	waiter_start(waiter);
	if (waiter_observe(waiter) != WAITER_DONE) {
		EXPECT_TRUE(waiter->seen == WAITER_BLOCKED) {
			TH_LOG("P2 broken: %s, with page %u pinned", waiter_describe(waiter), PAGE);
		}
		EXPECT_EQ(0, holder_release(holder, PAGE, &filled, &word));
		EXPECT_EQ(WAITER_DONE, waiter_observe_end(waiter)) {
			TH_LOG("P2 broken: %s, with nothing pinned", waiter_describe(waiter));
		}
	}
	EXPECT_EQ(0, waiter_result(waiter)) {
		TH_LOG("P5 broken: %s", waiter_describe(waiter));
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
	/* They should have waited until it is not. */
	EXPECT_EQ(-1, holder_lowest(&trial->holder)) {
		TH_LOG("P1 broken: neither %s nor %s waited", self->write.name,
		       self->truncate.name);
	}
	ASSERT_FALSE(page >= 0 || after != before) {
		TH_LOG("P5 broken: what is pinned is page %ld of another file: %#x, not %#x",
		       page, after, before);
	}
}

/* Control, and P9: mapped only; the reader finds what was written, the peer does not. */
TEST_F(cow, not_pinned)
{
	struct trial *trial = &self->trial;
	char *map = dax_file_page(&trial->file, PAGE), peer[3];

	dax_file_touch(&trial->file, PAGE);
	waiter_start(&self->write);
	ASSERT_EQ(WAITER_DONE, waiter_observe(&self->write)) {
		TH_LOG("P4 broken: %s, with nothing pinned", waiter_describe(&self->write));
	}
	ASSERT_EQ(0, waiter_result(&self->write)) {
		TH_LOG("P5 broken: %s", waiter_describe(&self->write));
	}
	ASSERT_EQ(0, memcmp(map, "cow", 3)) {
		TH_LOG("P5 broken: the mapping does not show what was written");
	}
	ASSERT_EQ(3, pread(trial->peer.fd, peer, 3, PAGE * trial->peer.page_size));
	ASSERT_NE(0, memcmp(peer, "cow", 3)) {
		TH_LOG("P6 broken: the peer shows what was written to the file");
	}
}

/*
 * P9: no write at all, but the pinned page is faulted in again, through another mapping.
 * For a shared extent dax_insert_entry() replaces the entry by one of the same page: that
 * must not look like the end of a page in use, and the pin must still be waited for.
 */
FIXTURE(reload) {
	struct trial trial;
	struct waiter truncate;
};

FIXTURE_VARIANT(reload) {
	const char *fs;
};

FIXTURE_VARIANT_ADD(reload, xfs) { "xfs" };

FIXTURE_SETUP(reload)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, share(trial, variant->fs));
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
		TH_LOG("P1 broken: %s, with page %u pinned, and faulted in again",
		       waiter_describe(&self->truncate), PAGE);
	}
}

#include "aftermath_fixture.h"

int main(int argc, char **argv)
{
	for (const struct filesystem *fs = filesystems; fs->name; fs++) {
		const FIXTURE_VARIANT(cow) write = { fs->name, by_write };
		const FIXTURE_VARIANT(cow) fault = { fs->name, by_fault };

		if (!op_is_for(op_find("clone_from"), fs->name))
			continue;
		VARIANT_ADD(cow, write, "%s_write", fs->name);
		VARIANT_ADD(cow, fault, "%s_fault", fs->name);
	}
	return dax_break_main(argc, argv);
}
