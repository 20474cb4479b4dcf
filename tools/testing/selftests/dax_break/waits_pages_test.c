// SPDX-License-Identifier: GPL-2.0
/*
 * P1, waits: an operation waits for whichever of the pages that it affects is pinned,
 * whenever the pins come, and in whatever order they go.
 *
 * Each case runs an operation on some pages of a file, with some pages pinned.
 *
 *	fixture, range		pinned pages
 *	pages, 2..5 of 8	the first, the middle, the last, all, one several times
 *	during, 2..5 of 8	one before the operation, another one while it waits
 *	eof, 1..2 or 2..3 of 4	the page that the file ends in
 *	partial, 1..2 of 4	pages that are only partly in the range
 *	scan, 1..4098 of 4100	those around the place where the scan pauses
 *
 * What must be seen: the operation is asleep in the layout break while any pin is left, and
 * done after the last one has gone; then the file is as the operation promises.
 *
 * dax_layout_busy_page_range(), fs/dax.c, scans the range for busy pages; the loop of
 * dax_break_layout() starts the scan over after every wait.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "dax_break.h"

/* After so many entries the scan pauses, to let others run: XA_CHECK_SCHED. */
#define SCAN_ENTRIES	4096

/* For all_shuffled. Every test begins with the same seed, as it runs in a fork. */
static unsigned int seed;

TRIAL_FIXTURE(pages, .pages = 8, .first = 2, .count = 4);

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
 * Pins all pages in @order[], and releases them in that order. Every kernel so far waits
 * for the lowest pinned page: only the release of that must wake the waiter.
 */
static void pin_and_release(struct __test_metadata *_metadata, struct trial *trial,
			    const unsigned int *order, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		REQUIRE(return, trial_hold(trial, order[i]));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	for (unsigned int i = 0; i < count - 1; i++) {
		bool awaited = order[i] == holder_lowest(&trial->holder);

		REQUIRE(return, trial_release(trial, order[i]));
		if (awaited)
			ASSERT_BLOCKED_AGAIN(trial);
		else
			ASSERT_BLOCKED(trial);
	}
	REQUIRE(return, trial_release(trial, order[count - 1]));
	ASSERT_COMPLETES(trial);
}

/* Puts the affected pages into @pages, in ascending order, and returns how many they are. */
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

/* Three references to one page: only the release of the last one ends the wait. */
TEST_F(pages, one_several_times)
{
	struct trial *trial = &self->trial;
	unsigned int page = trial_first(trial);

	for (int i = 0; i < 3; i++)
		REQUIRE(return, trial_hold(trial, page));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	REQUIRE(return, trial_release(trial, page));
	ASSERT_BLOCKED(trial);
	REQUIRE(return, trial_release(trial, page));
	ASSERT_BLOCKED(trial);
	REQUIRE(return, trial_release(trial, page));
	ASSERT_COMPLETES(trial);
}

/*
 * DMA begins while the operation already waits, behind the page that it waits for, or in
 * front of it. Faults go on during the wait, so the kernel must look at the whole range
 * again afterwards.
 */
TRIAL_FIXTURE(during, .pages = 8, .first = 2, .count = 4);

static void pinned_during_wait(struct __test_metadata *_metadata, struct trial *trial,
			       unsigned int before, unsigned int during)
{
	REQUIRE(return, trial_hold(trial, before));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	REQUIRE(return, trial_hold_aside(trial, during));
	REQUIRE(return, trial_release(trial, before));
	ASSERT_BLOCKED_AGAIN(trial);
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

/* The last page of the file is in the range, unless the operation does not allow that. */
TRIAL_FIXTURE(eof, .pages = 4, .short_by = 1000, .count = 2,
	      .first = variant->on.op->flags & OP_WHOLE_PAGES ? 1 : 2);

/* The last page of the file has fewer bytes than the others, but a block like them. */
TEST_F(eof, last_page)
{
	expect_wait_for(_metadata, &self->trial, 3);
}

TRIAL_FIXTURE(partial, .inset = 1000);

/* The range begins within this page, and has the end of it. */
TEST_F(partial, first_page)
{
	expect_wait_for(_metadata, &self->trial, 1);
}

/* The range ends within this page (but truncate takes all of it: its range has no end). */
TEST_F(partial, last_page)
{
	expect_wait_for(_metadata, &self->trial, 2);
}

TRIAL_FIXTURE(scan, .pages = SCAN_ENTRIES + 4, .first = 1, .count = SCAN_ENTRIES + 2,
	      .hole = 4, .hole_pages = SCAN_ENTRIES - 8);

/*
 * The last entry before the pause, and the first ones after it. Whether the scan starts at
 * page 0 or 1 depends on the operation.
 */
TEST_F(scan, around_pause)
{
	static const unsigned int pages[] = {
		SCAN_ENTRIES - 1, SCAN_ENTRIES, SCAN_ENTRIES + 1,
	};

	/* Every page that has been faulted in has an entry to scan, also a hole's zero page. */
	dax_file_populate(&self->trial.file);
	pin_and_release(_metadata, &self->trial, pages, ARRAY_SIZE(pages));
}

static void choose_seed(void)
{
	const char *given = getenv("DAX_BREAK_SEED");

	if (given)
		seed = strtoul(given, NULL, 0);
	else if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		abort();	/* the kernel never gives less than so few bytes */
}

static void add_variants(void)
{
	choose_seed();
	VARIANTS_OF_OPS(pages, 0, 0, OP_SPARES);
	/* A file on its way out of memory can no longer be faulted in. */
	VARIANTS_OF_OPS(during, 0, 0, OP_SPARES | OP_EVICTS);
	VARIANTS_OF_OPS(eof, 0, 0, OP_SPARES | OP_WITHIN);
	VARIANTS_OF_OPS(partial, 0, OP_BYTES, OP_SPARES);
	VARIANTS_OF_OPS(scan, 0, 0, OP_SPARES | OP_WITHIN);
}

DAX_BREAK_MAIN(.variants = add_variants)
