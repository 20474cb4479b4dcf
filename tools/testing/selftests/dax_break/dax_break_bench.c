// SPDX-License-Identifier: GPL-2.0
/*
 * A benchmark, not a test: what it costs to wait for pinned pages, and to look for them.
 *
 *	wake	from the release of the last pin to the return of the operation
 *	punch	the same operation with nothing pinned, to compare with
 *	break	punching a hole of one page into a file that has so many other pages mapped
 *
 * Prints lines of tab-separated values, each beginning with "bench"; the first line has
 * the names of the columns. Times are microseconds. Compare kernels on one machine that
 * does nothing else; under emulation, only ratios mean anything.
 *
 * A layout break unmaps the file and looks at every entry of its range. On ext4 and XFS
 * that range is the whole file. Since 6.15 it also drops the entries (dax_break_layout(),
 * fs/dax.c). Needs filesystems of some 700 MiB: DAX_BREAK_MIB=704.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <linux/falloc.h>
#include <time.h>
#include <unistd.h>

#include "base/probe.h"
#include "dax_file.h"
#include "filesystem.h"
#include "finding.h"
#include "testbed.h"
#include "trial.h"

#define WAKES		300
#define MAX_BREAKS	50
#define MAX_PAGES	65536U
/* Faults to map the pages for one row, which take most of the time. */
#define MAX_FAULTS	(4 * MAX_PAGES)
/* Longer than an operation takes, so that it is over when we begin to look whether it is. */
#define PAUSE_US	2000

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

static struct utsname uts;

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* A row: the distribution of the @count times in @us, which it sorts. */
static void print_row(const struct filesystem *fs, const char *measure, const char *entries,
		      unsigned int pages, double *us, unsigned int count)
{
	qsort(us, count, sizeof(*us), compare);
	printf("bench\t%s\t%s\t%s\t%s\t%u\t%u\t%.1f\t%.1f\t%.1f\t%.1f\n", uts.release, fs->name,
	       measure, entries, pages, count, us[0], us[count / 2],
	       us[(count * 99 - 1) / 100], us[count - 1]);
}

/* Where the waiter leaves the time of its return. */
static double *ended;

static int timed_punch(const struct op *op, const struct op_target *t)
{
	int rc = op_run(op_find("punch"), t);

	*ended = now_us();
	return rc;
}

static const struct op bench_op = {
	.name = "punch",
	.reach = OP_RANGE,
	.flags = OP_OWN,
	.run = timed_punch,
};

/* One operation on pages 1 and 2. @pinned: with page 1 pinned until the operation waits. */
static int time_punch(struct trial *trial, bool pinned, double *us)
{
	double start;
	int rc = pinned ? trial_hold(trial, 1) : 0;

	if (rc)
		return rc;
	dax_file_touch(&trial->file, 1);
	start = now_us();
	trial_start(trial);
	if (pinned && waiter_observe(&trial->waiter) != WAITER_BLOCKED)
		return why_broken(EIO, P1_WAITS, "%s", trial_describe(trial));
	if (pinned) {
		start = now_us();
		rc = trial_release(trial, 1);
	}
	usleep(PAUSE_US);
	if (!rc && waiter_observe_end(&trial->waiter) != WAITER_DONE)
		rc = why_broken(EIO, P2_WAKES, "%s", trial_describe(trial));
	*us = *ended - start;
	return rc;
}

static int bench_wake(const struct filesystem *fs, bool pinned)
{
	const struct trial_spec spec = { .on = { fs, &bench_op } };
	double us[WAKES];
	struct trial trial;
	int rc = trial_setup(&trial, &spec);

	if (rc)
		return rc;
	for (unsigned int i = 0; !rc && i < WAKES; i++)
		rc = time_punch(&trial, pinned, &us[i]);
	trial_end(&trial);
	if (!rc)
		print_row(fs, pinned ? "wake" : "punch", "pte", 1, us, WAKES);
	return rc;
}

/* Both map the first @pages and return how many are mapped. */
static unsigned int map_ptes(struct dax_file *file, unsigned int pages)
{
	/* Since 5.14 the kernel can do that in one call. */
	if (madvise(file->map, pages * file->page_size, MADV_POPULATE_WRITE))
		for (unsigned int page = 0; page < pages; page++)
			dax_file_touch(file, page);
	return pages;
}

static unsigned int map_pmds(struct dax_file *file, unsigned int pages)
{
	unsigned int pmd = dax_file_pmd_pages(), mapped = 0;

	for (unsigned int page = 0; page < pages; page += pmd) {
		dax_file_touch(file, page);
		/* Where the extents are not aligned, only the touched page is mapped. */
		mapped += dax_file_page_is_pmd(file, page) ? pmd : 1;
	}
	return mapped;
}

/* Punches a hole into the last page of the file, with the first @pages mapped as well. */
static int bench_break(const struct filesystem *fs, struct dax_file *file, enum dax_entries entries,
		       unsigned int pages)
{
	unsigned int count = MAX_FAULTS / pages < MAX_BREAKS ? MAX_FAULTS / pages : MAX_BREAKS;
	off_t last = (off_t)(file->pages - 1) * file->page_size;
	unsigned int mapped = 0;
	double us[MAX_BREAKS];

	for (unsigned int i = 0; i < count; i++) {
		double start;

		if (pwrite(file->fd, "x", 1, last) != 1)
			return why_set(errno, "cannot write: %s", strerror(errno));
		mapped = (entries == DAX_PMD ? map_pmds : map_ptes)(file, pages);
		dax_file_touch(file, file->pages - 1);
		start = now_us();
		if (fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, last,
			      file->page_size))
			return why_set(errno, "cannot punch a hole: %s", strerror(errno));
		us[i] = now_us() - start;
	}
	print_row(fs, "break", entries == DAX_PMD ? "pmd" : "pte", mapped, us, count);
	return 0;
}

static int bench_breaks(const struct filesystem *fs, enum dax_entries entries)
{
	const struct dax_file_spec spec = { .dir = testbed_dir(fs), .pages = MAX_PAGES + 8 };
	unsigned int pages = entries == DAX_PMD ? dax_file_pmd_pages() : 1;
	struct dax_file file;
	int rc;

	if (!pages)
		return why_set(EOPNOTSUPP, "%s", DAX_FILE_NO_PMD);
	rc = dax_file_create(&file, &spec);
	if (rc)
		return rc;
	rc = dax_file_map(&file, "shared", entries);
	for (; !rc && pages < MAX_PAGES; pages *= 4)
		rc = bench_break(fs, &file, entries, pages);
	rc = rc ?: bench_break(fs, &file, entries, MAX_PAGES);
	dax_file_close(&file, false);
	return rc;
}

static int bench(const struct filesystem *fs)
{
	return bench_wake(fs, true) ?:
	       bench_wake(fs, false) ?:
	       bench_breaks(fs, DAX_PTE) ?:
	       bench_breaks(fs, DAX_PMD);
}

int main(int argc, char **argv)
{
	int rc;

	setvbuf(stdout, NULL, _IOLBF, 0);
	probe_init();
	uname(&uts);
	ended = mmap(NULL, sizeof(*ended), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	rc = ended == MAP_FAILED ? why_set(ENOMEM, "no memory") : testbed_setup(argv);
	if (!rc)
		printf("bench\tkernel\tfs\tmeasure\tentries\tpages\tsamples\t"
		       "min\tmedian\tp99\tmax\n");
	for (struct cases c = cases_of_filesystems(0); !rc && cases_next(&c);)
		if (testbed_dir(c.on.fs))
			rc = bench(c.on.fs);
	if (rc)
		fprintf(stderr, "dax_break_bench: %s\n", why());
	return rc ? KSFT_FAIL : KSFT_PASS;
}
