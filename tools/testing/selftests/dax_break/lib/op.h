/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The operations that take blocks away from a file: one table. An entry says
 * how to run the operation and what the file must look like afterwards.
 */
#ifndef DAX_BREAK_OP_H
#define DAX_BREAK_OP_H

#include <sys/types.h>

#include "dax_file.h"

struct op {
	const char *name;
	/* Operates on @len bytes from @start; 0 or a negative errno. */
	int (*run)(int fd, off_t start, off_t len);
	/*
	 * Compares the file with what the operation on @count pages from page
	 * @first promises: 0, or -EIO with the difference in why(). Pages outside
	 * must be untouched.
	 */
	int (*check)(const struct dax_file *file, unsigned int first, unsigned int count);
};

/* The table; ends with a NULL name. */
extern const struct op ops[];

/* NULL for an unknown @name. */
const struct op *op_find(const char *name);

#endif
