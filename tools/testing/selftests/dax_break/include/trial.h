/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trial: what nearly every test consists of. A waiter runs an operation on some pages of a
 * file, while a holder pins pages of it.
 */
#ifndef DAX_BREAK_TRIAL_H
#define DAX_BREAK_TRIAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "dax_file.h"
#include "holder.h"
#include "op.h"
#include "waiter.h"

#define HOLDER_NONE	"none"

struct trial_spec {
	struct fs_op on;		/* an operation, on one of the testbed's filesystems */
	/* One of the table, HOLDER_DEVICE or HOLDER_NONE, for no pins; NULL: vmsplice */
	const char *holder;
	unsigned int pages;		/* size of the file; 0: four, @first = 1, @count = 2 */
	size_t short_by;		/* bytes that the last page lacks */
	unsigned int hole, hole_pages;	/* these pages, from @hole on, are a hole */
	unsigned int first, count;	/* the pages to operate on */
	size_t inset;			/* bytes of the first and last page that are left out */
	const char *mapping;		/* of dax_mappings[]; NULL: "shared" */
	/*
	 * DAX_PMD: the file has to begin with a PMD's worth of blocks, which a PMD maps:
	 * page 0 is faulted in, and that is proved.
	 */
	enum dax_entries entries;
	bool plain;			/* a file that is not DAX */
	bool nameless;			/* a file without a name */
	bool higher;			/* the inode number is above, not below the peer's */
};

struct trial_stat {
	off_t size;			/* bytes */
	blkcnt_t blocks;
};

struct trial {
	struct trial_spec spec;
	const struct op *op;		/* the spec's */
	struct op_target target;
	struct dax_file file;
	struct dax_file peer;		/* with OP_PEER */
	struct waiter waiter;
	struct holder holder;
	struct holder peer_holder;	/* of the peer's pages: vmsplice */
	struct trial_stat before[2];	/* of file and peer, when the operation started */
	const char *situation;		/* trial_situation() */
};

/*
 * Creates the file, forks the waiter, opens the holder and maps the file, in an order in which
 * children inherit neither mappings nor pins. After a failure nothing of that is left. @trial
 * must stay where it is until trial_end(). -EOPNOTSUPP: such a trial is not possible here.
 */
int trial_setup(struct trial *trial, const struct trial_spec *spec);

/* The lowest and the highest page of the file that the operation affects. */
unsigned int trial_first(const struct trial *trial);
unsigned int trial_last(const struct trial *trial);

/* Touches @page of the file in its mapping, and pins it. */
int trial_hold(struct trial *trial, unsigned int page);

/*
 * The same through a mapping that is gone on return, so that the pin is all that is left. For
 * pins that are taken while an operation waits, as its layout break has unmapped the page.
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

/* What stat(2) says of @file; all 0 if it is closed or gone. */
struct trial_stat trial_stat_of(const struct dax_file *file);

/* -EIO: size or blocks of file or peer have changed since the operation started. */
int trial_unchanged(const struct trial *trial);

/*
 * What file and peer have to look like after the operation. The caller has to call image_free()
 * for both, even after a failure. @peer has no pages if there is none.
 */
int trial_expect(const struct trial *trial, struct image *file, struct image *peer);

/* Checks the file against what the finished operation promises. */
int trial_check(struct trial *trial);

/* Checks that the files are as if the operation, which gave up, had never begun. */
int trial_intact(const struct trial *trial);

/*
 * -EIO: some data that the finished operation has left in a file was not written back.
 * @written says of each page whether it was, be it where the page was before the operation, or
 * where it is since.
 */
int trial_all_written(const struct trial *trial, const bool *written);

/*
 * From now on diagnoses end with @words about the situation, which must stay where they are;
 * NULL: with none.
 */
void trial_situation(struct trial *trial, const char *words);

/*
 * What the waiter was last seen doing, which pins are left, and the situation. The next call
 * overwrites it.
 */
const char *trial_describe(const struct trial *trial);

/*
 * Drops the pins, so that nothing has a reason to wait any more, ends the waiter, and removes
 * the file.
 */
void trial_end(struct trial *trial);

#endif
