/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trial: what nearly every test consists of. An operation on some pages of a
 * file of its own, run by a waiter, with the pins of a holder in its way.
 */
#ifndef DAX_BREAK_TRIAL_H
#define DAX_BREAK_TRIAL_H

#include "dax_file.h"
#include "holder.h"
#include "op.h"
#include "waiter.h"

struct trial_spec {
	const char *fs;			/* in which of the testbed's filesystems */
	const char *op;			/* an entry of ops[] */
	const char *holder;		/* an entry of the holders; NULL: no pins */
	unsigned int pages;		/* size of the file */
	unsigned int first, count;	/* the pages to operate on */
};

struct trial {
	struct trial_spec spec;
	const struct op *op;
	struct dax_file file;
	struct waiter waiter;
	struct holder holder;
};

/*
 * Creates the file, forks the waiter, opens the holder and maps the file, in the
 * order that keeps the children free of mappings and pins. After a failure nothing
 * of that is left. @trial must stay where it is until trial_end().
 */
int trial_setup(struct trial *trial, const struct trial_spec *spec);

/* Pins @page of the file through its mapping. */
int trial_hold(struct trial *trial, unsigned int page);

/*
 * The same through a mapping that is gone on return: the pin is all that this
 * leaves behind. For pins that begin during a wait, whose layout break has unmapped
 * the page.
 */
int trial_hold_aside(struct trial *trial, unsigned int page);

int trial_release(struct trial *trial, unsigned int page);

/* Checks the file against what the finished operation promises. */
int trial_check(const struct trial *trial);

/*
 * What the waiter was last seen doing, and the pins left; overwritten by the
 * next call.
 */
const char *trial_describe(const struct trial *trial);

/*
 * Drops the pins first, so that nothing has a reason to wait any more, then ends
 * the waiter, then removes the file.
 */
void trial_end(struct trial *trial);

#endif
