/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The operations that free, move or share the blocks of a file: a table, whose rows are
 * in lib/op/. A row says how to run the operation, which pages of the file it affects,
 * what it needs, and what becomes of the pages.
 */
#ifndef DAX_BREAK_OP_H
#define DAX_BREAK_OP_H

#include <stdbool.h>
#include <sys/types.h>

#include "filesystem.h"
#include "image.h"

/* What an operation is run on. The file is the one whose pages tests pin. */
struct op_target {
	int fd;			/* of the file; an operation that evicts the file closes it */
	const char *path;
	int peer;		/* another file of that filesystem, with OP_PEER */
	const char *peer_path;
	const char *mount;	/* where the filesystem is mounted */
	off_t start, len;	/* bytes; with OP_WITHIN as many behind that, too */
};

/* Which pages an operation on pages [first, first + count) affects. */
enum op_reach {
	OP_RANGE,	/* just these; so it is unless a row says otherwise */
	OP_TAIL,	/* these and all that follow */
	OP_WHOLE,	/* all of the file, whatever the range */
};

enum op_flags {
	OP_PEER		= 1 << 0,	/* takes a second file of the same size */
	OP_EQUAL	= 1 << 1,	/* needs two ranges of the same content */
	OP_BYTES	= 1 << 2,	/* takes ranges of any alignment */
	OP_WHOLE_PAGES	= 1 << 3,	/* whole pages only, and not the last one */
	OP_SPARES	= 1 << 4,	/* takes no block away: need not wait */
	/*
	 * Takes the inode out of memory, so it has to be the last that has the file
	 * open, and nobody may map it.
	 */
	OP_EVICTS	= 1 << 5,
	OP_UNMOUNTS	= 1 << 6,	/* by unmounting its filesystem */
	/* Evicts the inode, which is then read in again without DAX. */
	OP_ENDS_DAX	= 1 << 7,
	OP_FREES	= 1 << 8,	/* leaves blocks of the range without an owner */
	OP_WITHIN	= 1 << 9,	/* also works on the next @len bytes */
	OP_PEER_PLAIN	= 1 << 10,	/* takes a second file that is not DAX */
	/* A signal is told in a field of the argument: nothing is restarted. */
	OP_STATUS	= 1 << 11,
	/* Interrupted, it goes on without taking blocks away: it copies into them. */
	OP_FALLS_BACK	= 1 << 12,
	OP_EXCHANGES	= 1 << 13,	/* exchanges blocks, shares none */
	OP_BY_PATH	= 1 << 14,	/* names the file by its path */
	/* Stands for all that wait in the same function of the kernel. */
	OP_SAMPLE	= 1 << 15,
	/* Can leave a block behind that another file shares, or meet one. */
	OP_MEETS_SHARED	= 1 << 16,
	/* These have to be asked for, see cases_of_ops(): */
	OP_RARE		= 1 << 17,	/* hardly ever used: tested, but not in every way */
	OP_URING	= 1 << 18,	/* a request of io_uring, which a worker thread runs */
	OP_OWN		= 1 << 19,	/* a test's own, not in the table: works on any kernel */
};

struct op {
	const char *name;
	unsigned int needs;	/* of the filesystem: enum fs_feature */
	enum op_reach reach;
	unsigned int flags;	/* enum op_flags */
	/* Returns 0 or a negative errno; -EOPNOTSUPP: this kernel or filesystem lacks it. */
	int (*run)(const struct op *op, const struct op_target *target);
	/* For run(), where several rows have it in common. */
	int mode;	/* of fallocate(2) */
	int (*share)(int from, off_t start, int to, off_t to_start, off_t len);
	/*
	 * Does to images what the operation does to the files: to the range of @len bytes
	 * at @start, and to that at @at of @peer, which with OP_WITHIN is @file. NULL: the
	 * file is gone afterwards.
	 */
	void (*result)(struct image *file, off_t start, struct image *peer, off_t at, off_t len);
};

/* The table, in the order of names: the first for NULL; NULL after the last. */
const struct op *op_next(const struct op *op);

/* @name has to be one in the table: else the program ends, saying so. */
const struct op *op_find(const char *name);

int op_run(const struct op *op, const struct op_target *target);

/* Can @op run on @fs? Never if @fs is read-only. */
bool op_is_for(const struct op *op, const struct filesystem *fs);

/*
 * Does this kernel have @op on the testbed's filesystem @fs? It is run on a file of its
 * own with nothing mapped or pinned, once in the life of the program, and must succeed.
 * -EOPNOTSUPP: it does not have it.
 */
int op_probe(const struct op *op, const struct filesystem *fs);

/*
 * What tests are made for: an operation on a filesystem, or just a filesystem.
 *
 *	for (struct cases c = cases_of_ops(0, OP_PEER, OP_EVICTS); cases_next(&c);)
 *		... c.on.fs, c.on.op ...
 */
struct fs_op {
	const struct filesystem *fs;
	const struct op *op;	/* NULL: of the filesystem alone */
};

struct cases {
	struct fs_op on;
	unsigned int features, with, without;
	bool of_ops;
};

/* Each filesystem that has all of @features. FS_READ_ONLY only if it is among them. */
struct cases cases_of_filesystems(unsigned int features);

/*
 * On each of these, each operation that it can have and that has all of the @with flags
 * and none of the @without. OP_RARE and OP_URING only if they are among @with.
 */
struct cases cases_of_ops(unsigned int features, unsigned int with, unsigned int without);

/* Goes to the first, and then from one to the next. False: there are no more. */
bool cases_next(struct cases *cases);

#endif
