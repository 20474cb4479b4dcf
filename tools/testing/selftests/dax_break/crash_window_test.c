// SPDX-License-Identifier: GPL-2.0
/*
 * P1, P2, P4 and P5 of the ranges of the DAX window, which virtiofs takes away from files.
 *
 * Files are mapped into the window range by range, 2 MiB each. When no range is left, the
 * kernel takes one away from whichever file has it, and breaks the layout of that range.
 * Each case pins pages of a file, then has another process use more ranges than there are:
 *
 *	other_range	a page of another range of the same file is pinned, which must not
 *			matter
 *	other_file	a page of another file is pinned: the other ranges must be enough
 *	own_read	like other_range, but the ranges are used by read(2)
 *	all_ranges	a page of every range is pinned: the process waits until one of the
 *			pins goes
 *	refault		the same, but the page is faulted in again before its pin goes
 *
 * What must be seen: a process that needs a range gets one without a pinned page, and waits
 * only if there is none. No range with a pinned page is ever taken away: the server
 * complains if that happens.
 *
 * fuse_dax_free_mem_worker() and inode_inline_reclaim_one_dmap(), fs/fuse/dax.c.
 *
 * A kernel that gets stuck here never recovers, and the stuck process cannot be killed. So
 * these tests take DAX_BREAK_DESTRUCTIVE=1 (see README.rst). They also need a small window,
 * which run_tests.sh makes.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dax_break.h"
#include "virtiofs.h"

/* Using up a window with more ranges than these takes too long. */
#define MAX_RANGES	8

/* A process that has pages pinned, and another one that needs ranges. */
struct contest {
	const struct filesystem *fs;
	struct dax_file file;		/* whose pages are pinned */
	struct dax_file other;
	struct holder holder;
	struct waiter waiter;
	int orders;			/* to the server; -1: none were given */
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

FIXTURE_VARIANT_ON(crash_window);

/* Creates both files, each of more ranges than the window has. */
static int create_files(struct contest *contest)
{
	const struct dax_file_spec spec = {
		.dir = testbed_dir(contest->fs),
		.pages = (contest->ranges + 1) * contest->range_pages,
	};

	return dax_file_create(&contest->file, &spec) ?:
	       dax_file_create(&contest->other, &spec);
}

FIXTURE_SETUP(crash_window)
{
	struct contest *contest = &self->contest;

	*contest = (struct contest){
		.fs = variant->on.fs,
		.file.fd = -1,
		.other.fd = -1,
		.orders = -1,
		.range_pages = VIRTIOFS_RANGE / sysconf(_SC_PAGESIZE),
	};
	REQUIRE(return, consent_to_crash());
	REQUIRE(return, testbed_require(contest->fs));
	REQUIRE(return, virtiofs_order(testbed_mount(contest->fs), &contest->orders, "go"));
	contest->ranges = virtiofs_state(contest->orders).ranges;
	if (!contest->ranges || contest->ranges > MAX_RANGES)
		SKIP(return, "the DAX window has %u ranges, not %u or less: run_tests.sh makes one",
		     contest->ranges, MAX_RANGES);
	REQUIRE(return, create_files(contest));
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

/* Uses the ranges by loads through a mapping. */
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

/* Uses the ranges by read(2). */
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
 * Forks the process that will use ranges, then opens the holder, then maps the file. The
 * mapping is read-only so that the pages stay clean: ranges of dirty ones are hard to take
 * away, pinned or not.
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

/*
 * The process has got and used all the ranges that it needs; if not, that breaks @promise.
 * P5: no range with a pinned page was taken for it.
 */
static void expect_used(struct __test_metadata *_metadata, struct contest *contest,
			enum promise promise, const char *situation)
{
	ASSERT_RETURNS(promise, 0, &contest->waiter, situation);
	ASSERT_KEPT(P5_LOSES_NOTHING, virtiofs_complaint(testbed_mount(contest->fs)), "%s",
		    situation);
}

/* P4: the range that was used first is the first to be taken, and it has no pinned page. */
TEST_F(crash_window, other_range)
{
	struct contest *contest = &self->contest;
	const struct use use = { &contest->file, 2, contest->ranges - 1 };

	REQUIRE(return, prepare(contest, use, "loading from ranges", load));
	dax_file_touch(&contest->file, 0);
	REQUIRE(return, hold(contest, 1));
	waiter_start(&contest->waiter);
	expect_used(_metadata, contest, P4_PRECISE,
		    "with a page of another range of the file pinned");
}

/* P4: all ranges but one have no pinned page. */
TEST_F(crash_window, other_file)
{
	struct contest *contest = &self->contest;
	const struct use use = { &contest->other, 0, contest->ranges + 1 };

	REQUIRE(return, prepare(contest, use, "loading from ranges", load));
	REQUIRE(return, hold(contest, 0));
	waiter_start(&contest->waiter);
	expect_used(_metadata, contest, P4_PRECISE, "with a page of another file pinned");
}

/* P4: the reader takes a range from the file that it reads. */
TEST_F(crash_window, own_read)
{
	struct contest *contest = &self->contest;
	const struct use use = { &contest->file, 1, contest->ranges };

	REQUIRE(return, prepare(contest, use, "reading from ranges", load_by_read));
	REQUIRE(return, hold(contest, 0));
	waiter_start(&contest->waiter);
	expect_used(_metadata, contest, P4_PRECISE,
		    "with a page of another range of the file pinned");
}

/* P1, P2: the process that needs a range waits, then gets the one whose pin has gone. */
static void expect_wait(struct __test_metadata *_metadata, struct contest *contest,
			bool refault)
{
	const struct use use = { &contest->other, 0, 1 };

	REQUIRE(return, prepare(contest, use, "loading from a range", load));
	for (unsigned int i = 0; i < contest->ranges; i++)
		REQUIRE(return, hold(contest, i));
	waiter_start(&contest->waiter);
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe_any(&contest->waiter)) {
		BROKEN(P1_WAITS, "%s, with a page of every range pinned",
		       waiter_describe(&contest->waiter));
	}
	if (refault)
		dax_file_touch(&contest->file, 0);
	REQUIRE(return, release(contest, 0));
	expect_used(_metadata, contest, P2_WAKES, refault ?
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

static void add_variants(void)
{
	VARIANTS_OF_FILESYSTEMS(crash_window, FS_SERVED);
}

DAX_BREAK_MAIN_UNCHECKED("each test has its own guest, which may be beyond checking afterwards",
			 .variants = add_variants, .needs = NEED_ALONE | NEED_SMALL_WINDOW)
