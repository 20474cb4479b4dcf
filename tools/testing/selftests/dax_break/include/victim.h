/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Victim: a file that gets the blocks that an operation has freed. It shows the harm of
 * blocks that are freed too early, while a device still writes to them. The filesystem is
 * almost full, so the victim cannot but take the freed blocks.
 *
 *	victim_crowd()		leaves hardly a block free
 *				an operation frees some
 *	victim_take()		creates the victim in them, a file of tagged pages
 *				a device writes to a page that it still holds
 *	victim_check()		was that a page of the victim?
 *	victim_end()
 */
#ifndef DAX_BREAK_VICTIM_H
#define DAX_BREAK_VICTIM_H

#include <linux/types.h>

#include "dax_file.h"
#include "filesystem.h"

struct victim {
	const char *dir;
	int crowd;		/* the file that takes up the room; -1: none */
	__u64 free;		/* bytes that were free before that */
	__u64 left;		/* bytes that it left */
	struct dax_file file;	/* the victim */
	__u64 found;		/* the first wrong word that victim_check() has found */
};

/*
 * Fills up filesystem @fs but for what operations need to work at all. -EOPNOTSUPP: the
 * filesystem is not ours to fill up (testbed_require_own()).
 */
int victim_crowd(struct victim *victim, const struct filesystem *fs);

/*
 * Counts anew what is free. Call this right before the operation that frees blocks, as earlier
 * ones may have taken some.
 */
void victim_recount(struct victim *victim);

/*
 * Creates the victim in what is free: what was left, and what the operation has freed since
 * then. Waits for the latter, as the filesystem may need a while.
 */
int victim_take(struct victim *victim);

/* The same without waiting, so the victim may have no page at all. */
int victim_take_now(struct victim *victim);

/* The page of the victim whose block is at byte @physical of the device, or -1. */
long victim_page_at(const struct victim *victim, __u64 physical);

/*
 * -EIO: a page of the victim does not hold what was written to it. why() says which one,
 * where on the device it is, and what it holds instead.
 */
int victim_check(struct victim *victim);

/* Frees everything. Call it after the test's own files are gone, and after any failure. */
void victim_end(struct victim *victim);

#endif
