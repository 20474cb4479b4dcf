/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The operations that free, move or share the blocks of a file: one table. An
 * entry says how to run the operation, which pages of the file it affects, and
 * what becomes of them.
 */
#ifndef DAX_BREAK_OP_H
#define DAX_BREAK_OP_H

#include <stdbool.h>
#include <sys/types.h>

#include "image.h"

/* What an operation is run on. The file is the one whose pages tests pin. */
struct op_target {
	int fd;			/* of the file; closed by an operation that evicts it */
	const char *path;
	int peer;		/* another file of that filesystem, with OP_PEER */
	const char *peer_path;
	const char *mount;	/* where the filesystem is mounted */
	off_t start, len;	/* bytes; with OP_WITHIN as many behind that, too */
};

/* Which pages an operation on pages [first, first + count) affects. */
enum op_reach {
	OP_RANGE,	/* just these */
	OP_TAIL,	/* these and all that follow */
	OP_WHOLE,	/* all of the file, whatever the range */
};

enum op_flags {
	OP_PEER		= 1 << 0,	/* takes a second file of the same size */
	OP_EQUAL	= 1 << 1,	/* needs two ranges of the same content */
	OP_BYTES	= 1 << 2,	/* takes ranges of any alignment */
	OP_WHOLE_PAGES	= 1 << 3,	/* takes no range that ends in or with the last page */
	OP_SPARES	= 1 << 4,	/* takes no block away: need not wait */
	/*
	 * Takes the inode out of memory, so it has to be the last that has the file
	 * open, and nobody may map it.
	 */
	OP_EVICTS	= 1 << 5,
	OP_UNMOUNTS	= 1 << 6,	/* by unmounting its filesystem */
	OP_ENDS_DAX	= 1 << 7,	/* to come back as one that is not DAX */
	OP_FREES	= 1 << 8,	/* leaves blocks of the range without an owner */
	OP_WITHIN	= 1 << 9,	/* takes as many pages right behind the range, too */
	OP_PEER_PLAIN	= 1 << 10,	/* takes a second file that is not DAX */
	OP_RARE		= 1 << 11,	/* hardly ever used: tested, but not in every way */
	/* A signal is told in a field of the argument: nothing is restarted. */
	OP_STATUS	= 1 << 12,
	/* Interrupted, it goes on without taking blocks away: it copies into them. */
	OP_FALLS_BACK	= 1 << 13,
};

struct op {
	const char *name;
	const char *fs;		/* the only filesystem that has it; NULL: any */
	enum op_reach reach;
	unsigned int flags;	/* enum op_flags */
	/* Returns 0 or a negative errno; -EOPNOTSUPP: this kernel or filesystem lacks it. */
	int (*run)(const struct op_target *target);
	/*
	 * Does to images what the operation does to the files (@peer only with
	 * OP_PEER). NULL: the file is gone afterwards.
	 */
	void (*result)(struct image *file, struct image *peer, off_t start, off_t len);
};

/* The table; ends with a NULL name. */
extern const struct op ops[];

/* NULL for an unknown @name. */
const struct op *op_find(const char *name);

/* Does filesystem @fs have @op at all? */
bool op_is_for(const struct op *op, const char *fs);

#endif
