// SPDX-License-Identifier: GPL-2.0
/*
 * P5, loses nothing, while everything goes on at once: DMA into and out of mapped pages,
 * faults, fsync(), and a random mix of operations, for some seconds (lib/race.h).
 *
 *	corrupts_nothing	No DMA and no store ends in a block that its file no longer
 *				has: the next owner's data stays as it was written, and no
 *				file shows another's.
 *	gets_on			P2, P3: No operation and no DMA sleeps for good, though
 *				nothing is pinned, and all is unmapped, to help it; and
 *				the race does not die.
 *	is_quiet		P9: The kernel does not complain.
 *	used			There was DMA from every source: a disk, a file that is not
 *				DAX, the gate.
 *	woken			P2: Every operation of these went on once nothing was pinned
 *				any more, though pages had been faulted in meanwhile.
 *
 * Pins that tests hold meet an operation before it begins, or in its sleep. These meet it
 * anywhere: between the look at a page and its unmapping, with the entry locked by
 * fsync(), half way through a fault. A race that meets hardly any DMA proves nothing, and
 * fails.
 *
 * DAX_BREAK_SEED=N	the same choices again; dax_break_race has more to set
 * DAX_BREAK_DISK=DISK	DMA from there, too; it is only read from
 */
#include <sys/mman.h>
#include <time.h>

#include "dax_break.h"
#include "race.h"

/* Of all races of a filesystem. */
#define SECONDS		20
/* Operations that meet DMA in ten seconds, at least; an emulated guest on a busy host. */
#define FLOOR		2

/* What tests share, since each is a process of its own. */
static struct {
	/* What came of the last race, for all tests of its variant. */
	char name[64];
	int rc;
	char why[256];
	struct race_result result;
	/* Of all races of a filesystem, as in filesystems[]. */
	struct {
		unsigned long operations, unwoken, dmas_from[RACE_KINDS];
		char asleep[512], missing[RACE_KINDS][160];
	} all[8];
} *outcome;

static size_t number_of(const char *fs)
{
	return filesystem_find(fs) - filesystems;
}

FIXTURE(races) {
	__u64 seed;
};

FIXTURE_VARIANT(races) {
	const char *fs;
	const struct race_class *class;
	unsigned int seconds;
};

static __u64 choose_seed(void)
{
	const char *given = getenv("DAX_BREAK_SEED");
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return given ? strtoull(given, NULL, 0) : (__u64)(now.tv_sec ^ now.tv_nsec);
}

/* The second test of a variant looks at the race that the first one has run. */
static void race_once(const char *name, const struct race_spec *spec)
{
	typeof(outcome->all[0]) *all = &outcome->all[number_of(spec->fs)];
	const struct race_result *r = &outcome->result;

	if (!strcmp(outcome->name, name))
		return;
	ksft_print_msg("DAX_BREAK_SEED=%llu repeats the choices\n",
		       (unsigned long long)spec->seed);
	outcome->rc = race_run(spec, &outcome->result);
	snprintf(outcome->name, sizeof(outcome->name), "%s", name);
	snprintf(outcome->why, sizeof(outcome->why), "%s", why());
	if (outcome->rc)
		return;
	all->operations += r->operations;
	all->unwoken += r->unwoken;
	for (int kind = 0; kind < RACE_KINDS; kind++)
		all->dmas_from[kind] += r->dmas_from[kind];
	memcpy(all->missing, r->missing, sizeof(r->missing));
	if (!all->asleep[0])
		memcpy(all->asleep, r->asleep, sizeof(r->asleep));
	ksft_print_msg("per second: DMA %.0f, %.0f KiB; operations %.1f, %.1f met DMA\n",
		       r->dmas / r->seconds, r->bytes / r->seconds / 1024,
		       r->operations / r->seconds, r->overlaps / r->seconds);
	ksft_print_msg("DMA from %s; %lu victims of %lu pages\n", r->sources, r->victims,
		       r->victim_pages);
}

FIXTURE_SETUP(races)
{
	const struct race_spec spec = {
		.fs = variant->fs,
		.class = variant->class,
		.seed = choose_seed(),
		.seconds = variant->seconds,
		.delay_us = RACE_DEFAULT_DELAYS,
	};
	char name[64];

	snprintf(name, sizeof(name), "%s_%s", variant->fs, variant->class->name);
	if (!testbed_dir(variant->fs))
		SKIP(return, "no %s here: not in DAX_BREAK_FS, or not what DAX_BREAK_PMEM names",
		     variant->fs);
	race_once(name, &spec);
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

/* Did it end early, by anything but corruption? */
static bool is_stuck(const struct race_result *r)
{
	return r->harm[0] && strncmp(r->harm, "P5", 2);
}

TEST_F_TIMEOUT(races, corrupts_nothing, 120)
{
	const struct race_result *r = &outcome->result;

	if (is_stuck(r))
		SKIP(return, "the race got stuck after %.1f s: see gets_on", r->seconds);
	ASSERT_STREQ("", r->harm) {
		TH_LOG("%s", r->harm);
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
	ASSERT_FALSE(is_stuck(&outcome->result)) {
		TH_LOG("%s", outcome->result.harm);
	}
}

TEST_F_TIMEOUT(races, is_quiet, 120)
{
	ASSERT_STREQ("", outcome->result.complaint) {
		TH_LOG("%s", outcome->result.complaint);
	}
}

FIXTURE(races_waiters) {
};

FIXTURE_VARIANT(races_waiters) {
	const char *fs;
};

FIXTURE_SETUP(races_waiters)
{
}

FIXTURE_TEARDOWN(races_waiters)
{
}

/* With the races that it is about. */
static int require_races(const char *fs)
{
	if (outcome->all[number_of(fs)].operations)
		return 0;
	return why_set(EOPNOTSUPP, "no race of %s has been run: select races.%s_*", fs, fs);
}

TEST_F(races_waiters, woken)
{
	const typeof(outcome->all[0]) *all = &outcome->all[number_of(variant->fs)];

	REQUIRE(return, require_races(variant->fs));
	ASSERT_EQ(0UL, all->unwoken) {
		TH_LOG("%s", all->asleep);
	}
}

FIXTURE(races_dma) {
};

FIXTURE_VARIANT(races_dma) {
	const char *fs;
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
	const typeof(outcome->all[0]) *all = &outcome->all[number_of(variant->fs)];

	REQUIRE(return, require_races(variant->fs));
	if (all->missing[variant->from][0])
		SKIP(return, "no DMA from a %s: %s", race_kinds[variant->from],
		     all->missing[variant->from]);
	ASSERT_LT(0UL, all->dmas_from[variant->from]);
}

#include "aftermath_fixture.h"

int main(int argc, char **argv)
{
	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (outcome == MAP_FAILED)
		ksft_exit_fail_msg("no memory for what comes of races\n");
	for (const struct filesystem *fs = filesystems; fs->name; fs++) {
		const FIXTURE_VARIANT(races_waiters) waiters = { fs->name };
		FIXTURE_VARIANT(races) data = { .fs = fs->name };
		unsigned int count = 0;

		/* Whose blocks nobody else can get. */
		if (!filesystem_on_pmem(fs))
			continue;
		for (const struct race_class *c = race_classes; c->name; c++)
			count += race_class_is_for(c, fs->name);
		data.seconds = SECONDS / count;
		for (data.class = race_classes; data.class->name; data.class++)
			if (race_class_is_for(data.class, fs->name))
				VARIANT_ADD(races, data, "%s_%s", fs->name, data.class->name);
		VARIANT_ADD(races_waiters, waiters, "%s", fs->name);
		for (int kind = 0; kind < RACE_KINDS; kind++) {
			const FIXTURE_VARIANT(races_dma) dma = { fs->name, kind };

			VARIANT_ADD(races_dma, dma, "%s_from_%s", fs->name, race_kinds[kind]);
		}
	}
	return dax_break_main(argc, argv);
}
