/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Race: real DMA against operations, all at once, at random, for a while. A pin that a
 * test holds proves that an operation looks for it; this looks for what it cannot reach:
 * a page that is pinned just behind the scan, an entry that is locked just then.
 *
 * Two files, one of few pages and one that a PMD maps, in a crowded filesystem:
 *
 *	race_dma.c	reads from a disk into their pages, and writes from them
 *	race_fault.c	touches, protects, unmaps and maps again, and fsync()s
 *	race_ops.c	a random mix of operations, each when DMA is under way
 *	race_victim.c	takes every block that is freed, and looks after what is in it
 *	race_log.c	who did what, of late: to tell whose data was found where
 *	race.c		makes all this, and ends it; sees to it that nothing gets stuck
 *
 * A seed determines all choices; when things happen is for the scheduler to say.
 */
#ifndef DAX_BREAK_RACE_H
#define DAX_BREAK_RACE_H

#include <stdbool.h>
#include <linux/types.h>

/* Disks to read from, separated by spaces; nothing is ever written to them. */
#define RACE_DISK_ENV	"DAX_BREAK_DISK"

/* What operations are in the mix: one table, which ends with a NULL name. */
struct race_class {
	const char *name;
	const char *fs;			/* the only filesystem that it is for; NULL: any */
	/* Which entries of ops[]: by enum op_flags, any of these (0: any) and none of those. */
	unsigned int any, without;
	const char *only, *but;		/* and how their names begin, or do not; NULL: any */
	bool pairs;			/* the blocks of one file may become the other's */
	/*
	 * The pages are only read from: copy-on-write, which would follow from a store to
	 * a shared page, is known to forget pins, and not what is looked for here.
	 */
	bool read_only;
};

extern const struct race_class race_classes[];

/* NULL for an unknown @name. */
const struct race_class *race_class_find(const char *name);

bool race_class_is_for(const struct race_class *class, const char *fs);

/* Where to widen a window: delays of up to so many microseconds, at random. */
enum race_delay {
	RACE_BEFORE_PIN,
	RACE_SUBMIT_TO_OP,	/* from when DMA is under way until an operation begins */
	RACE_AFTER_RELEASE,
	RACE_DELAYS
};

struct race_spec {
	const char *fs;
	const struct race_class *class;
	__u64 seed;
	unsigned int seconds;
	unsigned int delay_us[RACE_DELAYS];
	bool complaints_end_it;		/* what the kernel says, that is; any other harm does */
};

#define RACE_DEFAULT_DELAYS	{ 500, 300, 500 }

/* What DMA comes from, and in part goes to. */
enum race_kind {
	RACE_DISK,		/* really DMA; named by RACE_DISK_ENV */
	RACE_PLAIN,		/* a file that is not DAX, on the same memory */
	RACE_GATE,		/* for a while of its choice */
	RACE_KINDS
};

extern const char *const race_kinds[RACE_KINDS];

struct race_result {
	double seconds;
	unsigned long operations;
	unsigned long overlaps;		/* of these: began while DMA was under way */
	unsigned long dmas, bytes;
	unsigned long dmas_from[RACE_KINDS];
	unsigned long faults, syncs;
	unsigned long victims;		/* how often freed blocks were taken and looked at */
	unsigned long victim_pages;
	unsigned long unwoken;		/* operations that went on only once all was unmapped */
	unsigned long nudged;		/* late ones, after that: all was mapped anew */
	char sources[128];		/* of the DMA, for people */
	char missing[RACE_KINDS][160];	/* why there are none of this kind; "": there are */
	/* What is broken, from the promise on; "": nothing. The first of each kind. */
	char harm[1024];		/* to data, or whatever is not one of these: */
	char complaint[512];		/* the kernel has complained */
	char asleep[512];		/* an operation was not woken */
	double found_after;		/* seconds until the harm, or the complaint */
};

/*
 * Runs it. 0, with what came of it in *@result, harm or not; -EINTR: race_stop(), and the
 * same. Else it could not be run. The caller maps no DAX file and has no other threads.
 */
int race_run(const struct race_spec *spec, struct race_result *result);

/* Ends a run early; for signal handlers. */
void race_stop(void);

#endif
