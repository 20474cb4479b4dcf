// SPDX-License-Identifier: GPL-2.0
/*
 * Races (lib/race.h) for as long as one likes, or one of them again.
 *
 *	--fs NAME	on just this filesystem of DAX_BREAK_FS
 *	--ops CLASS	with just these operations: see race_classes[]
 *	--seed N	with the choices of that seed, instead of a new one each time
 *	--time S	for so many seconds each
 *	--repeat M	all of it so many times
 *	--go-on		though the kernel has complained; else that ends a race
 *	--delay A,B,C	random delays of up to so many microseconds: before a page is
 *			pinned, from then until an operation begins, and after a release
 *
 * Prints a line of tab-separated values for each, beginning with "race", the first one
 * with the names of the columns. What is broken follows; the exit status is 1 then, and a
 * known bug (an operation that nobody wakes) does not count. Ctrl-C and SIGTERM end it
 * early, with nothing left pinned, and what has come of it so far is told.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "filesystem.h"
#include "gate.h"
#include "probe.h"
#include "quiet.h"
#include "race.h"
#include "testbed.h"
#include "why.h"

#define USAGE	"dax_break_race [--fs NAME] [--ops CLASS] [--seed N] [--time S] [--repeat M] [--go-on] [--delay A,B,C]"

struct options {
	const char *fs, *ops;
	bool seeded;
	unsigned int repeat;
	struct race_spec spec;
};

static int parse(int argc, char **argv, struct options *options)
{
	static const struct option words[] = {
		{ "fs", required_argument, NULL, 'f' },
		{ "ops", required_argument, NULL, 'o' },
		{ "seed", required_argument, NULL, 's' },
		{ "time", required_argument, NULL, 't' },
		{ "repeat", required_argument, NULL, 'r' },
		{ "delay", required_argument, NULL, 'd' },
		{ "go-on", no_argument, NULL, 'g' },
		{ .name = NULL },
	};
	unsigned int *delay = options->spec.delay_us;
	int c;

	while ((c = getopt_long(argc, argv, "", words, NULL)) != -1) {
		if (c == 'f') {
			options->fs = optarg;
		} else if (c == 'o') {
			options->ops = optarg;
		} else if (c == 's') {
			options->spec.seed = strtoull(optarg, NULL, 0);
			options->seeded = true;
		} else if (c == 't') {
			options->spec.seconds = atoi(optarg);
		} else if (c == 'r') {
			options->repeat = atoi(optarg);
		} else if (c == 'g') {
			options->spec.complaints_end_it = false;
		} else if (c != 'd' || sscanf(optarg, "%u,%u,%u", &delay[0], &delay[1],
					      &delay[2]) != RACE_DELAYS) {
			return why_set(EINVAL, "usage: " USAGE);
		}
	}
	if (optind < argc || !options->spec.seconds || !options->repeat)
		return why_set(EINVAL, "usage: " USAGE);
	if (options->fs && !filesystem_find(options->fs))
		return why_set(EINVAL, "no filesystem is called %s", options->fs);
	if (options->ops && !race_class_find(options->ops))
		return why_set(EINVAL, "no class of operations is called %s", options->ops);
	return 0;
}

static __u64 new_seed(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (__u64)(now.tv_sec ^ now.tv_nsec);
}

static bool is_broken(const struct race_result *r)
{
	return r->harm[0] || r->complaint[0];
}

static void print_result(const struct race_spec *spec, const struct race_result *r)
{
	double s = r->seconds;

	printf("race\t%s\t%s\t%llu\t%.1f\t", spec->fs, spec->class->name,
	       (unsigned long long)spec->seed, s);
	printf("%.1f\t%.1f\t%.0f\t%.0f\t%.0f\t%.0f\t", r->operations / s, r->overlaps / s,
	       r->dmas / s, r->bytes / s / 1024, r->faults / s, r->syncs / s);
	printf("%lu\t%lu\t%lu\t%.1f\n", r->victims, r->victim_pages, r->unwoken,
	       r->found_after);
	printf("# DMA from %s\n", r->sources);
	for (int kind = 0; kind < RACE_KINDS; kind++)
		if (r->missing[kind][0])
			printf("# no DMA from a %s: %s\n", race_kinds[kind], r->missing[kind]);
	if (r->complaint[0])
		printf("# found: %s\n", r->complaint);
	if (r->harm[0])
		printf("# found: %s\n", r->harm);
	if (r->asleep[0])
		printf("# found, and then avoided %lu times: %s\n", r->nudged, r->asleep);
	if (is_broken(r))
		printf("# again: dax_break_race --fs %s --ops %s --seed %llu --delay %u,%u,%u\n",
		       spec->fs, spec->class->name, (unsigned long long)spec->seed,
		       spec->delay_us[RACE_BEFORE_PIN], spec->delay_us[RACE_SUBMIT_TO_OP],
		       spec->delay_us[RACE_AFTER_RELEASE]);
}

/* Every race once: 0, 1 if something is broken, or a negative errno. */
static int race_all(const struct options *options)
{
	struct race_spec spec = options->spec;
	struct race_result result;
	int found = 0, rc;

	for (const struct filesystem *fs = filesystems; fs->name; fs++) {
		if (!testbed_dir(fs->name) || (options->fs && strcmp(options->fs, fs->name)))
			continue;
		for (spec.class = race_classes; spec.class->name; spec.class++) {
			if (!race_class_is_for(spec.class, fs->name) ||
			    (options->ops && strcmp(options->ops, spec.class->name)))
				continue;
			spec.fs = fs->name;
			if (!options->seeded)
				spec.seed = new_seed();
			rc = race_run(&spec, &result);
			if (rc && rc != -EINTR)
				return rc;
			print_result(&spec, &result);
			found |= is_broken(&result);
			if (rc)
				return rc;
		}
	}
	return found;
}

static void on_signal(int sig)
{
	race_stop();
}

int main(int argc, char **argv)
{
	struct options options = {
		.repeat = 1,
		.spec.seconds = 20,
		.spec.complaints_end_it = true,
		.spec.delay_us = RACE_DEFAULT_DELAYS,
	};
	const struct sigaction action = { .sa_handler = on_signal };
	int rc = parse(argc, argv, &options), found = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	probe_init();
	rc = rc ?: testbed_setup(argv);
	if (!rc) {
		if (quiet_begin())
			printf("# %s\n", why());
		gate_share();
		sigaction(SIGINT, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
		printf("race\tfs\tops\tseed\tseconds\toperations/s\tmet_DMA/s\tDMA/s\tKiB/s\t");
		printf("faults/s\tsyncs/s\tvictims\tvictim_pages\tunwoken\tfound_after\n");
	}
	while (!rc && options.repeat--) {
		rc = race_all(&options);
		found |= rc > 0;
		rc = rc < 0 ? rc : 0;
	}
	if (rc && rc != -EINTR) {
		fprintf(stderr, "dax_break_race: %s\n", why());
		return rc == -EOPNOTSUPP ? KSFT_SKIP : 2;
	}
	return found;
}
