/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The operations that free, move or share the blocks of a file: one table. An
 * entry says how to run the operation and what becomes of the pages.
 */
#ifndef DAX_BREAK_OP_H
#define DAX_BREAK_OP_H

#include <sys/types.h>

#include "dax_file.h"

/* What an operation does to the pages [first, first + count) of a file. */
enum op_effect {
	OP_CUTS,	/* they and all that follow are gone */
	OP_ZEROES,	/* they read as zeroes */
	OP_REMOVES,	/* they are gone, what follows moves down */
	OP_INSERTS,	/* zeroes are in their place, they and all that follow move up */
	OP_KEEPS,	/* nothing that could be read has changed */
};

struct op {
	const char *name;
	/* Operates on @len bytes from @start; 0 or a negative errno. */
	int (*run)(int fd, off_t start, off_t len);
	enum op_effect effect;
};

/* The table; ends with a NULL name. */
extern const struct op ops[];

/* NULL for an unknown @name. */
const struct op *op_find(const char *name);

/*
 * Asks the kernel whether @op exists for files in @dir, by running it on one of
 * its own. -EOPNOTSUPP: it does not.
 */
int op_probe(const struct op *op, const char *dir);

/*
 * Compares @file, all of it, with what @op on @count pages from page @first
 * promises: 0, or -EIO with the difference in why().
 */
int op_check(const struct op *op, const struct dax_file *file, unsigned int first,
	     unsigned int count);

#endif
