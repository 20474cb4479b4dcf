/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The operations that free, move or share the blocks of a file: a table, whose rows are
 * in lib/op/.
 */
#ifndef DAX_BREAK_OP_H
#define DAX_BREAK_OP_H

/* What an operation is run on: a file, of which some pages are pinned. */
struct op_target {
	int fd;
	off_t start, len;	/* bytes */
};

struct op {
	const char *name;
	/* Returns 0 or a negative errno. */
	int (*run)(const struct op *op, const struct op_target *target);
	int mode;	/* of fallocate(2) */
};

#endif
