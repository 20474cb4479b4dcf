/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Victim: the next owner of whatever blocks a filesystem has to give away. This is how
 * harm is seen that a page suffers whose block was freed too early: the filesystem is
 * crowded, so that the next file cannot but take the freed blocks, and that file looks
 * after its data.
 *
 *	victim_crowd()		hardly a block is free
 *				an operation frees some
 *	victim_take()		a file of tagged pages has them all
 *				a device writes to a page that it still holds
 *	victim_check()		whose page was it?
 *	victim_end()
 */
#ifndef DAX_BREAK_VICTIM_H
#define DAX_BREAK_VICTIM_H

#include <linux/types.h>

#include "dax_file.h"

struct victim {
	const char *dir;
	int crowd;		/* the file that takes up the room; -1: none */
	__u64 free;		/* bytes that were free before that */
	__u64 left;		/* bytes that it left */
	struct dax_file file;	/* of the pages that were free */
	__u64 found;		/* by victim_check(): the first word that is not its own */
};

/*
 * Leaves no more free on filesystem @fs than what operations need to work at all.
 * -EOPNOTSUPP: it is not testbed_ours().
 */
int victim_crowd(struct victim *victim, const char *fs);

/* The operation that frees comes next; what came before it may have taken some. */
void victim_recount(struct victim *victim);

/*
 * Takes what is free now: what the crowd left, and what an operation that has returned
 * must have freed since, for which the filesystem may need a while.
 */
int victim_take(struct victim *victim);

/* The same with what is free just now, which may be no page at all. */
int victim_take_now(struct victim *victim);

/* The page of the victim whose block is at @physical of the device (bytes); -1: none. */
long victim_page_at(const struct victim *victim, __u64 physical);

/*
 * 0, or -EIO if a page of the victim does not hold what was written to it: which one,
 * where it is on the device, and what is there instead, in why().
 */
int victim_check(struct victim *victim);

/* Gives everything back, once the test's own files are gone. Safe after any failure. */
void victim_end(struct victim *victim);

#endif
