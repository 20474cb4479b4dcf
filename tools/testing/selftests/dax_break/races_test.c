// SPDX-License-Identifier: GPL-2.0
/*
 * P5, loses nothing, while everything goes on at once: DMA into and out of mapped pages,
 * faults, fsync(), and a random mix of operations, for some seconds (race.h).
 *
 *	corrupts_nothing	No DMA and no store reaches a block that its file no longer
 *				has: the next owner's data stays as it was written, and no
 *				file shows the data of another.
 *	gets_on			P2, P3: With nothing pinned, no operation and no DMA sleeps
 *				for good, though an unmap of all pages may have to wake it;
 *				and the process of the race does not die.
 *	is_quiet		P9: The kernel does not complain.
 *	used			There was DMA from every source: a disk, a file that is not
 *				DAX, and the gate.
 *	woken			P2: Every operation of the races went on as soon as nothing
 *				was pinned any more, even if pages had been faulted in
 *				during its wait.
 *
 * A pin that a test holds meets an operation before the operation begins, or while it
 * sleeps. The pins of a race meet it anywhere: between the look at a page and its unmapping,
 * while fsync() has the entry locked, halfway through a fault. A race in which operations
 * hardly ever meet DMA proves nothing, and fails.
 *
 * DAX_BREAK_SEED and DAX_BREAK_DISK (README.rst) influence the races. dax_break_race has
 * more options.
 */
#include <sys/mman.h>

#include "dax_break.h"
#include "race.h"

/* How long all races of a filesystem take together. */
#define SECONDS		20
/* Operations that must meet DMA in ten seconds, even in an emulated guest on a busy host. */
#define FLOOR		2

/* Shared memory: each test is a process of its own. */
static struct {
	/* The last race, and its results: all tests of its variant look at these. */
	const struct filesystem *fs;
	const struct race_mix *mix;
	int rc;
	char why[256];
	struct race_result result;
	/* The sums of all races of a filesystem, by filesystem_index(). */
	struct {
		unsigned long operations, unwoken, dmas_from[RACE_KINDS];
		char missing[RACE_KINDS][160];
		struct finding asleep;
	} all[FILESYSTEMS_MAX];
} *outcome;

FIXTURE(races) {
};

FIXTURE_VARIANT(races) {
	struct fs_op on;
	const struct race_mix *mix;
	unsigned int seconds;
};

static __u64 choose_seed(void)
{
	const char *given = getenv("DAX_BREAK_SEED");

	return given ? strtoull(given, NULL, 0) : race_new_seed();
}

/* Runs the race of a variant for its first test; the others look at the same race. */
static void race_once(const struct race_spec *spec)
{
	typeof(outcome->all[0]) *all = &outcome->all[filesystem_index(spec->fs)];
	const struct race_result *r = &outcome->result;

	if (outcome->fs == spec->fs && outcome->mix == spec->mix)
		return;
	ksft_print_msg("DAX_BREAK_SEED=%llu repeats the choices\n",
		       (unsigned long long)spec->seed);
	outcome->rc = race_run(spec, &outcome->result);
	outcome->fs = spec->fs;
	outcome->mix = spec->mix;
	snprintf(outcome->why, sizeof(outcome->why), "%s", why());
	if (outcome->rc)
		return;
	all->operations += r->operations;
	all->unwoken += r->unwoken;
	for (int kind = 0; kind < RACE_KINDS; kind++)
		all->dmas_from[kind] += r->dmas_from[kind];
	memcpy(all->missing, r->missing, sizeof(r->missing));
	if (!all->asleep.promise)
		all->asleep = r->asleep;
	ksft_print_msg("per second: DMA %.0f, %.0f KiB; operations %.1f, %.1f met DMA\n",
		       r->dmas / r->seconds, r->bytes / r->seconds / 1024,
		       r->operations / r->seconds, r->overlaps / r->seconds);
	ksft_print_msg("DMA from %s; %lu victims of %lu pages\n", r->sources, r->victims,
		       r->victim_pages);
}

FIXTURE_SETUP(races)
{
	const struct race_spec spec = {
		.fs = variant->on.fs,
		.mix = variant->mix,
		.seed = choose_seed(),
		.seconds = variant->seconds,
		.delay_us = RACE_DEFAULT_DELAYS,
	};

	REQUIRE(return, testbed_require(variant->on.fs));
	race_once(&spec);
	if (outcome->rc == -EOPNOTSUPP)
		SKIP(return, "%s", outcome->why);
	ASSERT_EQ(0, outcome->rc) {
		TH_LOG("%s", outcome->why);
	}
}

FIXTURE_TEARDOWN(races)
{
	expect_quiet(_metadata);
}

/* Did anything other than corruption end the race early? */
static bool is_stuck(const struct race_result *r)
{
	return r->harm.text[0] && r->harm.promise != P5_LOSES_NOTHING;
}

TEST_F_TIMEOUT(races, corrupts_nothing, 120)
{
	const struct race_result *r = &outcome->result;

	/* No number: in databases of results this becomes part of the test's name. */
	if (is_stuck(r))
		SKIP(return, "the race got stuck: see gets_on");
	ASSERT_EQ(0U, r->harm.promise) {
		BROKEN(r->harm.promise, "%s", r->harm.text);
	}
	ASSERT_LE(FLOOR * r->seconds / 10, r->overlaps) {
		TH_LOG("the race proves nothing: %lu of %lu operations met DMA in %.1f s",
		       r->overlaps, r->operations, r->seconds);
	}
	ASSERT_LT(0UL, r->victim_pages) {
		TH_LOG("the race proves nothing: no block was freed");
	}
}

TEST_F_TIMEOUT(races, gets_on, 120)
{
	const struct race_result *r = &outcome->result;

	ASSERT_FALSE(is_stuck(r)) {
		if (r->harm.promise)
			BROKEN(r->harm.promise, "%s", r->harm.text);
		else
			TH_LOG("%s", r->harm.text);
	}
}

TEST_F_TIMEOUT(races, is_quiet, 120)
{
	const struct finding *complaint = &outcome->result.complaint;

	ASSERT_EQ(0U, complaint->promise) {
		BROKEN(complaint->promise, "%s", complaint->text);
	}
}

FIXTURE(races_waiters) {
};

FIXTURE_VARIANT_ON(races_waiters);

FIXTURE_SETUP(races_waiters)
{
}

FIXTURE_TEARDOWN(races_waiters)
{
}

/* These tests look at the races of a filesystem, which must have been run. */
static int require_races(const struct filesystem *fs)
{
	if (outcome->all[filesystem_index(fs)].operations)
		return 0;
	return why_set(EOPNOTSUPP, "no race of %s has been run: select races.%s_*", fs->name,
		       fs->name);
}

TEST_F(races_waiters, woken)
{
	const typeof(outcome->all[0]) *all = &outcome->all[filesystem_index(variant->on.fs)];

	REQUIRE(return, require_races(variant->on.fs));
	ASSERT_EQ(0UL, all->unwoken) {
		BROKEN(all->asleep.promise, "%s", all->asleep.text);
	}
}

FIXTURE(races_dma) {
};

FIXTURE_VARIANT(races_dma) {
	struct fs_op on;
	enum race_kind from;
};

FIXTURE_SETUP(races_dma)
{
}

FIXTURE_TEARDOWN(races_dma)
{
}

TEST_F(races_dma, used)
{
	const typeof(outcome->all[0]) *all = &outcome->all[filesystem_index(variant->on.fs)];

	REQUIRE(return, require_races(variant->on.fs));
	if (all->missing[variant->from][0])
		SKIP(return, "no DMA from a %s: %s", race_kinds[variant->from],
		     all->missing[variant->from]);
	ASSERT_LT(0UL, all->dmas_from[variant->from]);
}

/* All races of @on.fs together take SECONDS. */
static void add_races(const struct fs_op *on)
{
	unsigned int count = 0;

	for (const struct race_mix *mix = race_mixes; mix->name; mix++)
		count += filesystem_has(on->fs, mix->needs);
	for (const struct race_mix *mix = race_mixes; mix->name; mix++) {
		const FIXTURE_VARIANT(races) data = { *on, mix, SECONDS / count };

		if (filesystem_has(on->fs, mix->needs))
			VARIANT_ADD_AS(races, data, "%s", mix->name);
	}
}

/* On memory of other kinds a test cannot see which file gets a freed block. */
static void add_variants(void)
{
	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (outcome == MAP_FAILED)
		ksft_exit_fail_msg("no memory for the outcome of races\n");
	VARIANTS_OF_FILESYSTEMS(races_waiters, FS_PMEM);
	for (struct cases c = cases_of_filesystems(FS_PMEM); cases_next(&c);) {
		add_races(&c.on);
		for (int kind = 0; kind < RACE_KINDS; kind++) {
			const FIXTURE_VARIANT(races_dma) data = { c.on, kind };

			VARIANT_ADD_AS(races_dma, data, "from_%s", race_kinds[kind]);
		}
	}
}

DAX_BREAK_MAIN(.variants = add_variants)
