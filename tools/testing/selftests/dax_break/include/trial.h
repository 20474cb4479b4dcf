/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trial: what nearly every test consists of. An operation on some pages of a
 * file of its own, run by a waiter, with the pins of a holder in its way.
 */
#ifndef DAX_BREAK_TRIAL_H
#define DAX_BREAK_TRIAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "dax_file.h"
#include "holder.h"
#include "op.h"
#include "waiter.h"

struct trial_spec {
	const char *fs;			/* in which of the testbed's filesystems */
	const char *op;			/* an entry of ops[] */
	const struct op *own;		/* instead of @op: one of the test's own, not probed */
	const char *holder;		/* an entry of the holders; NULL: no pins */
	unsigned int pages;		/* size of the file; 0: four, @first = 1, @count = 2 */
	size_t short_by;		/* bytes that the last page lacks */
	unsigned int hole, hole_pages;	/* these pages, from @hole on, are a hole */
	unsigned int first, count;	/* the pages to operate on */
	size_t inset;			/* bytes of the first and the last that are left out */
	const char *mapping;		/* an entry of dax_mappings[]; NULL: "shared" */
	enum dax_entries entries;
	bool plain;			/* a file that is not DAX */
	bool nameless;			/* a file without a name */
	bool higher;			/* the inode number is above, not below the peer's */
};

/* What stat(2) says. */
struct trial_stat {
	off_t size;			/* bytes */
	blkcnt_t blocks;
};

struct trial {
	struct trial_spec spec;
	const struct op *op;
	struct op_target target;
	struct dax_file file;
	struct dax_file peer;		/* with OP_PEER */
	struct waiter waiter;
	struct holder holder;
	struct holder peer_holder;	/* of the peer's pages: vmsplice */
	struct trial_stat before[2];	/* of file and peer, when the operation started */
	const char *note;		/* what else to say of the situation; NULL: nothing */
};

/*
 * Creates the file, forks the waiter, opens the holder and maps the file, in the
 * order that keeps the children free of mappings and pins. After a failure nothing
 * of that is left. @trial must stay where it is until trial_end().
 */
int trial_setup(struct trial *trial, const struct trial_spec *spec);

/*
 * The same for a file that begins with a PMD's worth of blocks, which a PMD maps: page
 * 0 has been faulted in, and is proved to be mapped so. -EOPNOTSUPP: it cannot be had.
 */
int trial_setup_pmd(struct trial *trial, const struct trial_spec *spec);

/* The lowest and the highest page of the file that the operation affects. */
unsigned int trial_first(const struct trial *trial);
unsigned int trial_last(const struct trial *trial);

/* Pins @page of the file through its mapping, having touched it. */
int trial_hold(struct trial *trial, unsigned int page);

/*
 * The same through a mapping that is gone on return: the pin is all that this
 * leaves behind. For pins that begin during a wait, whose layout break has unmapped
 * the page.
 */
int trial_hold_aside(struct trial *trial, unsigned int page);

/* Drops one pin of @page. */
int trial_release(struct trial *trial, unsigned int page);

/* The same for a page of the peer, which has been mapped as well. */
int trial_hold_peer(struct trial *trial, unsigned int page);
int trial_release_peer(struct trial *trial, unsigned int page);

/*
 * Lets the waiter run the operation. If that evicts the file, the test's own
 * mapping and descriptor of it go first.
 */
void trial_start(struct trial *trial);

/* Of a file that may be closed, or gone: zeroes then. */
struct trial_stat trial_stat_of(const struct dax_file *file);

/* Size and blocks of the file while the operation waits: 0, or -EIO if they changed. */
int trial_unchanged(const struct trial *trial);

/*
 * What file and peer are to look like after the operation: to be freed by image_free(),
 * even after a failure. @peer has no pages if there is none.
 */
int trial_expect(const struct trial *trial, struct image *file, struct image *peer);

/* Checks the file against what the finished operation promises. */
int trial_check(struct trial *trial);

/* The same for an operation that gave up: the files are as if it had never begun. */
int trial_intact(const struct trial *trial);

/*
 * Has every page been written back whose data the finished operation leaves somewhere?
 * @written tells it of each page, by where it was before the operation or by where it
 * is since. 0, or -EIO.
 */
int trial_all_written(const struct trial *trial, const bool *written);

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
