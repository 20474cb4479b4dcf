// SPDX-License-Identifier: GPL-2.0
/*
 * P1, waits: whichever page of those that the operation affects is pinned, whenever
 * the pins come, and in whatever order they go.
 *
 * Each case runs an operation on some pages of a file with some pages pinned.
 *
 *	pages, 2..5 of 8	first, middle, last, all, one several times
 *	during, 2..5 of 8	one before, another one once the operation waits
 *	eof, 1..2 or 2..3 of 4	the page that the file ends in
 *	partial, 1..2 of 4	pages that are only partly in the range
 *	scan, 1..4098 of 4100	around the place where the scan makes a pause
 *
 * Seen must be: asleep in the layout break while any pin is left, done after the
 * last one has gone, and a file that looks as the operation promises.
 *
 * dax_layout_busy_page_range(), fs/dax.c, scans the range for busy pages; the loop of
 * dax_break_layout() starts that over after every wait.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "dax_break.h"

/* The scan lets others run, and starts anew, after so many entries: XA_CHECK_SCHED. */
#define SCAN_ENTRIES	4096

/* Of all_shuffled; every test starts from the same, as it runs in a fork. */
static unsigned int seed;

FIXTURE(pages) {
	struct trial trial;
};

FIXTURE_VARIANT(pages) {
	struct fs_op on;
};

static int setup(struct trial *trial, const struct fs_op *on)
{
	const struct trial_spec spec = {
		.fs = on->fs,
		.op = on->op,
		.holder = "vmsplice",
		.pages = 8,
		.first = 2,
		.count = 4,
	};

	return trial_setup(trial, &spec);
}

FIXTURE_SETUP(pages)
{
	REQUIRE(return, setup(&self->trial, &variant->on));
}

FIXTURE_TEARDOWN(pages)
{
	trial_teardown(_metadata, &self->trial);
}

TEST_F(pages, first)
{
	expect_wait_for(_metadata, &self->trial, trial_first(&self->trial));
}

TEST_F(pages, middle)
{
	expect_wait_for(_metadata, &self->trial,
			(trial_first(&self->trial) + trial_last(&self->trial)) / 2);
}

TEST_F(pages, last)
{
	expect_wait_for(_metadata, &self->trial, trial_last(&self->trial));
}

/*
 * Pins the pages @order[], all of them, and releases them in that order. Every kernel
 * so far waits for the lowest pinned page: only its release must wake the waiter.
 */
static void pin_and_release(struct __test_metadata *_metadata, struct trial *trial,
			    const unsigned int *order, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		REQUIRE(return, trial_hold(trial, order[i]));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	for (unsigned int i = 0; i < count - 1; i++) {
		bool awaited = order[i] == holder_lowest(&trial->holder);

		REQUIRE(return, trial_release(trial, order[i]));
		ASSERT_BLOCKED(trial, (awaited ? waiter_observe_again : waiter_observe));
	}
	REQUIRE(return, trial_release(trial, order[count - 1]));
	ASSERT_COMPLETES(trial);
}

/* The affected pages, ascending; how many. */
static unsigned int affected(const struct trial *trial, unsigned int *pages)
{
	unsigned int first = trial_first(trial), last = trial_last(trial);

	for (unsigned int page = first; page <= last; page++)
		pages[page - first] = page;
	return last - first + 1;
}

TEST_F(pages, all_ascending)
{
	unsigned int order[8], count = affected(&self->trial, order);

	pin_and_release(_metadata, &self->trial, order, count);
}

TEST_F(pages, all_descending)
{
	unsigned int order[8], count = affected(&self->trial, order);

	for (unsigned int i = 0; i < count / 2; i++) {
		unsigned int page = order[i];

		order[i] = order[count - 1 - i];
		order[count - 1 - i] = page;
	}
	pin_and_release(_metadata, &self->trial, order, count);
}

TEST_F(pages, all_shuffled)
{
	unsigned int order[8], count = affected(&self->trial, order);

	ksft_print_msg("DAX_BREAK_SEED=%u makes the order the same again\n", seed);
	for (unsigned int i = count - 1; i; i--) {
		unsigned int j = rand_r(&seed) % (i + 1), page = order[i];

		order[i] = order[j];
		order[j] = page;
	}
	pin_and_release(_metadata, &self->trial, order, count);
}

/* Three references to one page: all but the last one may go without consequence. */
TEST_F(pages, one_several_times)
{
	struct trial *trial = &self->trial;
	unsigned int page = trial_first(trial);

	for (int i = 0; i < 3; i++)
		REQUIRE(return, trial_hold(trial, page));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, page));
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, page));
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, page));
	ASSERT_COMPLETES(trial);
}

/*
 * DMA that begins while the operation already waits, behind the page that it waits
 * for, or before it: faults go on during the wait, so after it the range must be
 * looked at again from its beginning.
 */
FIXTURE(during) {
	struct trial trial;
};

FIXTURE_VARIANT(during) {
	struct fs_op on;
};

FIXTURE_SETUP(during)
{
	REQUIRE(return, setup(&self->trial, &variant->on));
}

FIXTURE_TEARDOWN(during)
{
	trial_teardown(_metadata, &self->trial);
}

static void pinned_during_wait(struct __test_metadata *_metadata, struct trial *trial,
			       unsigned int before, unsigned int during)
{
	REQUIRE(return, trial_hold(trial, before));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_hold_aside(trial, during));
	REQUIRE(return, trial_release(trial, before));
	ASSERT_BLOCKED(trial, waiter_observe_again);
	REQUIRE(return, trial_release(trial, during));
	ASSERT_COMPLETES(trial);
}

TEST_F(during, pinned_behind)
{
	pinned_during_wait(_metadata, &self->trial, 4, 5);
}

TEST_F(during, pinned_before)
{
	pinned_during_wait(_metadata, &self->trial, 4, 2);
}

FIXTURE(eof) {
	struct trial trial;
};

FIXTURE_VARIANT(eof) {
	struct fs_op on;
};

FIXTURE_SETUP(eof)
{
	bool before_eof = op_find(variant->on.op)->flags & OP_WHOLE_PAGES;
	const struct trial_spec spec = {
		.fs = variant->on.fs,
		.op = variant->on.op,
		.holder = "vmsplice",
		.pages = 4,
		.short_by = 1000,
		.first = before_eof ? 1 : 2,
		.count = 2,
	};

	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(eof)
{
	trial_teardown(_metadata, &self->trial);
}

/* The last page of the file has fewer bytes than the others, but a block like them. */
TEST_F(eof, last_page)
{
	expect_wait_for(_metadata, &self->trial, 3);
}

FIXTURE(partial) {
	struct trial trial;
};

FIXTURE_VARIANT(partial) {
	struct fs_op on;
};

FIXTURE_SETUP(partial)
{
	const struct trial_spec spec = {
		.fs = variant->on.fs,
		.op = variant->on.op,
		.holder = "vmsplice",
		.inset = 1000,
	};

	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(partial)
{
	trial_teardown(_metadata, &self->trial);
}

/* The range begins within this page: its end is taken. */
TEST_F(partial, first_page)
{
	expect_wait_for(_metadata, &self->trial, 1);
}

/* The range ends within this page (for truncate, which has no end: it is all gone). */
TEST_F(partial, last_page)
{
	expect_wait_for(_metadata, &self->trial, 2);
}

FIXTURE(scan) {
	struct trial trial;
};

FIXTURE_VARIANT(scan) {
	struct fs_op on;
};

FIXTURE_SETUP(scan)
{
	const struct trial_spec spec = {
		.fs = variant->on.fs,
		.op = variant->on.op,
		.holder = "vmsplice",
		.pages = SCAN_ENTRIES + 4,
		.first = 1,
		.count = SCAN_ENTRIES + 2,
		.hole = 4,
		.hole_pages = SCAN_ENTRIES - 8,
		.entries = DAX_PTE,
	};

	REQUIRE(return, trial_setup(&self->trial, &spec));
	/* What has been faulted in has an entry to be scanned, a hole's zero page, too. */
	dax_file_populate(&self->trial.file);
}

FIXTURE_TEARDOWN(scan)
{
	trial_teardown(_metadata, &self->trial);
}

/*
 * The last entry before the pause, and the first ones after it. The scan starts at
 * page 0 or 1, so which page is which depends on the operation.
 */
TEST_F(scan, around_pause)
{
	static const unsigned int pages[] = {
		SCAN_ENTRIES - 1, SCAN_ENTRIES, SCAN_ENTRIES + 1,
	};

	pin_and_release(_metadata, &self->trial, pages, ARRAY_SIZE(pages));
}

#include "aftermath_fixture.h"

int main(int argc, char **argv)
{
	const char *given = getenv("DAX_BREAK_SEED");

	VARIANTS_OF_OPS(pages, 0, OP_SPARES);
	/* A file on its way out of memory can no longer be faulted in. */
	VARIANTS_OF_OPS(during, 0, OP_SPARES | OP_EVICTS);
	VARIANTS_OF_OPS(eof, 0, OP_SPARES | OP_WITHIN);
	VARIANTS_OF_OPS(partial, OP_BYTES, OP_SPARES);
	VARIANTS_OF_OPS(scan, 0, OP_SPARES | OP_WITHIN);
	if (given)
		seed = strtoul(given, NULL, 0);
	else if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		abort();	/* the kernel never gives less than so few bytes */
	return dax_break_main(argc, argv);
}
