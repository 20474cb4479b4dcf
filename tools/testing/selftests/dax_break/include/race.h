/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Race: DMA and operations at the same time, with random choices, for some seconds.
 *
 * A test that holds a pin proves that an operation looks for it. A race finds what such a
 * test cannot reach in dax_break_layout() (fs/dax.c): a page that is pinned just after the
 * scan has passed it, or an entry that is locked during the scan.
 *
 * A race has two files, one of few pages and one that a PMD can map, on a filesystem with
 * hardly any free blocks. It is a process of its own, with threads of these roles:
 *
 *	dma	reads from disks into mapped pages, and writes from them to a file
 *	fault	touches, protects, unmaps and remaps pages
 *	sync	writes dirty pages back, which locks their entries
 *	victim	takes every block that is freed, and checks that its data stays intact
 *	op	runs the operations of a mix, each while DMA is under way
 *
 * The seed determines every choice, but not when things happen: the scheduler does that.
 * A seed therefore repeats the choices of a race, and often, not always, what it finds.
 */
#ifndef DAX_BREAK_RACE_H
#define DAX_BREAK_RACE_H

#include <stdbool.h>
#include <linux/types.h>

#include "filesystem.h"
#include "finding.h"

/* Names disks to read from, separated by spaces. Nothing is ever written to them. */
#define RACE_DISK_ENV	"DAX_BREAK_DISK"

/* Which operations a race runs: one table, which ends with a NULL name. */
struct race_mix {
	const char *name;
	unsigned int needs;		/* of the filesystem: enum fs_feature */
	/* Flags of operations: one of @any at least (0: no matter), and none of @without. */
	unsigned int any, without;
	bool pairs;			/* blocks move between the two files */
	/*
	 * DMA and loads only read the pages. A store to a shared page leads to
	 * copy-on-write, which is known to ignore pins: other tests look for that.
	 */
	bool read_only;
};

extern const struct race_mix race_mixes[];

/* NULL for an unknown @name. */
const struct race_mix *race_mix_find(const char *name);

/* Where a window can be widened, by a random delay. */
enum race_delay {
	RACE_BEFORE_PIN,
	RACE_SUBMIT_TO_OP,	/* from the start of DMA to the start of an operation */
	RACE_AFTER_RELEASE,
	RACE_DELAYS
};

struct race_spec {
	const struct filesystem *fs;	/* of the testbed */
	const struct race_mix *mix;
	__u64 seed;
	unsigned int seconds;
	unsigned int delay_us[RACE_DELAYS];	/* the longest, in microseconds */
	bool complaints_end_it;		/* a complaint of the kernel ends the race */
};

#define RACE_DEFAULT_DELAYS	{ 500, 300, 500 }

/* What DMA reads from. */
enum race_kind {
	RACE_DISK,		/* a disk that RACE_DISK_ENV names */
	RACE_PLAIN,		/* a file on the same memory that is not DAX */
	RACE_GATE,		/* a gate, which delays each request at random */
	RACE_KINDS
};

extern const char *const race_kinds[RACE_KINDS];

/* What came of a race. Of each sort of finding it holds the first. */
struct race_result {
	double seconds;
	unsigned long operations;
	unsigned long overlaps;		/* operations that began while DMA was under way */
	unsigned long dmas, bytes;
	unsigned long dmas_from[RACE_KINDS];
	unsigned long faults, syncs;
	unsigned long victims;		/* how often freed blocks were taken and checked */
	unsigned long victim_pages;
	unsigned long unwoken;		/* operations that went on only after an unmap */
	/* Late operations that were woken by mapping everything again. */
	unsigned long nudged;
	char sources[128];		/* names of what DMA read from */
	char missing[RACE_KINDS][160];	/* why there was none of this kind; "": there was */
	struct finding harm;		/* what ended the race; promise 0: it has failed */
	struct finding complaint;	/* of the kernel (P9) */
	struct finding asleep;		/* the first unwoken operation (P2) */
	double found_after;		/* seconds until the first of harm and complaint */
};

/* A seed that differs from run to run. */
__u64 race_new_seed(void);

/*
 * Runs a race. Returns 0 and fills in *@result, whatever has been found; -EINTR is the
 * same after race_stop(). Any other negative errno means that the race could not be run,
 * with the reason in why(). The caller maps no DAX file and has no other threads.
 */
int race_run(const struct race_spec *spec, struct race_result *result);

/* Ends a run early. May be called in signal handlers. */
void race_stop(void);

#endif
