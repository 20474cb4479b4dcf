// SPDX-License-Identifier: GPL-2.0
/*
 * P1, P2 and P4 of what virtiofs takes away most often: the ranges of its DAX window.
 *
 * Files are mapped into the window range by range, 2 MiB each, and when there is no
 * range left one is taken from whoever has one, which breaks the layout of that range. Each
 * case pins pages of a file and then has another process use more ranges than there are:
 *
 *	other_range	a page of another range of the same file is pinned: it does not matter
 *	other_file	a page of another file is pinned: the ranges that are left have to do
 *	own_read	the same of the file that is read, by read(2)
 *	all_ranges	a page of every range is pinned: it waits, until one is not any more
 *	refault		the same, but the page is faulted in again before the pin goes
 *
 * Seen must be: whoever needs a range gets one that has no pinned page, and waits only if
 * there is none. No page that is pinned loses its range: the server looks after that.
 *
 * fuse_dax_free_mem_worker() and inode_inline_reclaim_one_dmap(), fs/fuse/dax.c.
 *
 * A kernel that does not get on here never does, and what waits cannot be killed: only
 * with DAX_BREAK_DESTRUCTIVE=1, in a guest of its own, with a small window.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consent.h"
#include "dax_break.h"
#include "virtiofs.h"

#define FS		"virtiofs"
/* Of a window that is still small: more takes too long. */
#define MAX_RANGES	8

/* Somebody with pages pinned, and somebody who needs ranges. */
struct contest {
	struct dax_file file;		/* whose pages are pinned */
	struct dax_file other;
	struct holder holder;
	struct waiter waiter;
	int orders;
	unsigned int ranges;		/* of the window */
	unsigned int range_pages;
	struct use {			/* what the waiter does */
		struct dax_file *file;
		unsigned int first, count;	/* ranges */
	} use;
};

FIXTURE(crash_window) {
	struct contest contest;
};

FIXTURE_VARIANT(crash_window) {
	const char *fs;
};

FIXTURE_VARIANT_ADD(crash_window, virtiofs) { FS };

FIXTURE_SETUP(crash_window)
{
	struct contest *contest = &self->contest;
	struct dax_file_spec spec = { .dir = testbed_dir(FS) };

	contest->orders = -1;
	contest->file.fd = -1;
	contest->other.fd = -1;
	REQUIRE(return, consent_to_crash());
	if (!spec.dir)
		SKIP(return, "no virtiofs here: it is not in DAX_BREAK_FS, or " VIRTIOFS_ENV
		     " is unset");
	REQUIRE(return, virtiofs_order(testbed_mount(FS), &contest->orders, "go"));
	contest->ranges = virtiofs_ranges(contest->orders);
	if (!contest->ranges || contest->ranges > MAX_RANGES)
		SKIP(return, "the DAX window has %u ranges, not %u or less: run_tests.sh makes one",
		     contest->ranges, MAX_RANGES);
	contest->range_pages = VIRTIOFS_RANGE / sysconf(_SC_PAGESIZE);
	spec.pages = (contest->ranges + 1) * contest->range_pages;
	REQUIRE(return, dax_file_create(&contest->file, &spec));
	REQUIRE(return, dax_file_create(&contest->other, &spec));
}

FIXTURE_TEARDOWN(crash_window)
{
	struct contest *contest = &self->contest;
	bool gone;

	holder_close(&contest->holder);
	dax_file_unmap(&contest->file);
	gone = waiter_end(&contest->waiter);
	dax_file_close(&contest->file, !gone);
	dax_file_close(&contest->other, !gone);
	if (contest->orders >= 0)
		close(contest->orders);
	expect_quiet(_metadata);
}

/* The use, by loads through a mapping. */
static int load(void *arg)
{
	const struct use *use = arg;
	char *map = mmap(NULL, use->file->size, PROT_READ, MAP_SHARED, use->file->fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	for (unsigned int i = use->first; i < use->first + use->count; i++)
		__atomic_load_n(map + i * VIRTIOFS_RANGE, __ATOMIC_RELAXED);
	return 0;
}

static int load_by_read(void *arg)
{
	const struct use *use = arg;
	char byte;

	for (unsigned int i = use->first; i < use->first + use->count; i++)
		if (pread(use->file->fd, &byte, 1, i * VIRTIOFS_RANGE) != 1)
			return -errno;
	return 0;
}

/*
 * Forks who will use ranges, then opens the holder, then maps the file; read-only, so that
 * its pages stay clean: dirty ones are hard to take away in any case.
 */
static int prepare(struct contest *contest, struct use use, const char *name,
		   int (*how)(void *arg))
{
	contest->use = use;
	return waiter_fork(&contest->waiter, name, how, &contest->use) ?:
	       holder_open(&contest->holder, "vmsplice") ?:
	       dax_file_map(&contest->file, "read_only", DAX_PTE);
}

/* Pins the first page of a range of the file. */
static int hold(struct contest *contest, unsigned int range)
{
	unsigned int page = range * contest->range_pages;

	dax_file_touch(&contest->file, page);
	return holder_hold(&contest->holder, page, dax_file_page(&contest->file, page),
			   contest->file.page_size);
}

static int release(struct contest *contest, unsigned int range)
{
	bool filled;
	__u64 word;

	return holder_release(&contest->holder, range * contest->range_pages, &filled, &word);
}

/* It has done with the ranges; if not, that breaks @promise. */
static void expect_used(struct __test_metadata *_metadata, struct contest *contest,
			const char *promise, const char *situation)
{
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(&contest->waiter)) {
		TH_LOG("%s broken: %s, %s", promise, waiter_describe(&contest->waiter), situation);
	}
	ASSERT_EQ(0, waiter_result(&contest->waiter)) {
		TH_LOG("%s broken: %s, %s", promise, waiter_describe(&contest->waiter), situation);
	}
	ASSERT_EQ(0, virtiofs_complaint(testbed_mount(FS))) {
		TH_LOG("P5 broken: %s, %s", why(), situation);
	}
}

/* The one that was used first is the one to be taken: that is another one. */
TEST_F(crash_window, other_range)
{
	struct contest *contest = &self->contest;
	const struct use use = { &contest->file, 2, contest->ranges - 1 };

	REQUIRE(return, prepare(contest, use, "loading from ranges", load));
	dax_file_touch(&contest->file, 0);
	REQUIRE(return, hold(contest, 1));
	waiter_start(&contest->waiter);
	expect_used(_metadata, contest, "P4", "with a page of another range of the file pinned");
}

TEST_F(crash_window, other_file)
{
	struct contest *contest = &self->contest;
	const struct use use = { &contest->other, 0, contest->ranges + 1 };

	REQUIRE(return, prepare(contest, use, "loading from ranges", load));
	REQUIRE(return, hold(contest, 0));
	waiter_start(&contest->waiter);
	expect_used(_metadata, contest, "P4", "with a page of another file pinned");
}

TEST_F(crash_window, own_read)
{
	struct contest *contest = &self->contest;
	const struct use use = { &contest->file, 1, contest->ranges };

	REQUIRE(return, prepare(contest, use, "reading from ranges", load_by_read));
	REQUIRE(return, hold(contest, 0));
	waiter_start(&contest->waiter);
	expect_used(_metadata, contest, "P4", "with a page of another range of the file pinned");
}

/* Whoever needs a range gets the one whose page is not pinned any more. */
static void expect_wait(struct __test_metadata *_metadata, struct contest *contest,
			bool refault)
{
	const struct use use = { &contest->other, 0, 1 };

	REQUIRE(return, prepare(contest, use, "loading from a range", load));
	for (unsigned int i = 0; i < contest->ranges; i++)
		REQUIRE(return, hold(contest, i));
	waiter_start(&contest->waiter);
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe_any(&contest->waiter)) {
		TH_LOG("P1 broken: %s, with a page of every range pinned",
		       waiter_describe(&contest->waiter));
	}
	if (refault)
		dax_file_touch(&contest->file, 0);
	REQUIRE(return, release(contest, 0));
	expect_used(_metadata, contest, "P2", refault ?
		    "with a page of every range pinned but one, which was faulted in again" :
		    "with a page of every range but one pinned");
}

TEST_F(crash_window, all_ranges)
{
	expect_wait(_metadata, &self->contest, false);
}

TEST_F(crash_window, refault)
{
	expect_wait(_metadata, &self->contest, true);
}

int main(int argc, char **argv)
{
	return dax_break_main(argc, argv);
}
