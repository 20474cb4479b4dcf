// SPDX-License-Identifier: GPL-2.0
/*
 * Runs races (race.h) for as long as you like, or repeats one of them.
 *
 *	--fs NAME	only on this filesystem of DAX_BREAK_FS
 *	--ops MIX	only with this mix of operations: see race_mixes[]
 *	--seed N	with the choices of seed N, instead of a new seed for each race
 *	--time S	each race lasts S seconds
 *	--repeat M	runs all races M times
 *	--go-on		a complaint of the kernel does not end a race
 *	--delay A,B,C	longest random delays, in microseconds: before a page is pinned, from
 *			then until an operation begins, and after a release
 *
 * Prints one line of tab-separated values for each race, which begins with "race"; the
 * first such line has the names of the columns. Comments after it tell what is broken. The
 * exit status is then 1, except if the only finding is the known bug that operations are
 * not woken; and 4 if no filesystem here has such races. Ctrl-C and SIGTERM end the race
 * early: it unpins everything and prints what it has found so far.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/probe.h"
#include "filesystem.h"
#include "finding.h"
#include "gate/gate.h"
#include "quiet.h"
#include "race.h"
#include "testbed.h"

#define USAGE	"dax_break_race [--fs NAME] [--ops MIX] [--seed N] [--time S] [--repeat M] [--go-on] [--delay A,B,C]"

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
	if (options->ops && !race_mix_find(options->ops))
		return why_set(EINVAL, "no mix of operations is called %s", options->ops);
	return 0;
}

static bool is_broken(const struct race_result *r)
{
	return r->harm.text[0] || r->complaint.promise;
}

static void print_finding(const char *how, const struct finding *finding)
{
	if (finding->promise)
		printf("# %s: " FINDING_FORMAT "%s\n", how, finding->promise, finding->text);
	else if (finding->text[0])
		printf("# %s: %s\n", how, finding->text);
}

static void print_result(const struct race_spec *spec, const struct race_result *r)
{
	double s = r->seconds;
	char avoided[64];

	printf("race\t%s\t%s\t%llu\t%.1f\t", spec->fs->name, spec->mix->name,
	       (unsigned long long)spec->seed, s);
	printf("%.1f\t%.1f\t%.0f\t%.0f\t%.0f\t%.0f\t", r->operations / s, r->overlaps / s,
	       r->dmas / s, r->bytes / s / 1024, r->faults / s, r->syncs / s);
	printf("%lu\t%lu\t%lu\t%.1f\n", r->victims, r->victim_pages, r->unwoken,
	       r->found_after);
	printf("# DMA from %s\n", r->sources);
	for (int kind = 0; kind < RACE_KINDS; kind++)
		if (r->missing[kind][0])
			printf("# no DMA from a %s: %s\n", race_kinds[kind], r->missing[kind]);
	print_finding("found", &r->complaint);
	print_finding("found", &r->harm);
	snprintf(avoided, sizeof(avoided), "found, and then avoided %lu times", r->nudged);
	print_finding(avoided, &r->asleep);
	if (is_broken(r))
		printf("# again: dax_break_race --fs %s --ops %s --seed %llu --delay %u,%u,%u\n",
		       spec->fs->name, spec->mix->name, (unsigned long long)spec->seed,
		       spec->delay_us[RACE_BEFORE_PIN], spec->delay_us[RACE_SUBMIT_TO_OP],
		       spec->delay_us[RACE_AFTER_RELEASE]);
}

/* Runs every race once. 0, 1 if something is broken, or a negative errno and why. */
static int race_all(const struct options *options)
{
	struct race_spec spec = options->spec;
	struct race_result result;
	int races = 0, found = 0, rc;

	for (const struct filesystem *fs = NULL; (fs = filesystem_next(fs));) {
		if (!testbed_dir(fs) || (options->fs && strcmp(options->fs, fs->name)))
			continue;
		for (spec.mix = race_mixes; spec.mix->name; spec.mix++) {
			if (!filesystem_has(fs, spec.mix->needs) ||
			    (options->ops && strcmp(options->ops, spec.mix->name)))
				continue;
			spec.fs = fs;
			if (!options->seeded)
				spec.seed = race_new_seed();
			races++;
			rc = race_run(&spec, &result);
			if (rc && rc != -EINTR)
				return rc;
			print_result(&spec, &result);
			found |= is_broken(&result);
			if (rc)
				return rc;
		}
	}
	return races ? found : why_set(EOPNOTSUPP, "no filesystem here has such races");
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
