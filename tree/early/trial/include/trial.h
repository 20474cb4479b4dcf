/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trial: what nearly every test consists of. A waiter runs an operation on pages 1 and 2 of
 * a file of four, while a holder pins pages of it.
 */
#ifndef DAX_BREAK_TRIAL_H
#define DAX_BREAK_TRIAL_H

struct trial {
	const struct op *op;
	struct op_target target;
	struct dax_file file;
	struct waiter waiter;
	struct holder holder;
};

/*
 * Creates the file, forks the waiter, opens the holder and maps the file, in an order in which
 * children inherit neither mappings nor pins. -EOPNOTSUPP: not possible here.
 */
int trial_setup(struct trial *trial, const char *op, const char *holder);

/* Lets the waiter run the operation. */
void trial_start(struct trial *trial);

/* What the waiter was last seen doing, and which pins are left. The next call overwrites it. */
const char *trial_describe(const struct trial *trial);

/* Drops the pins, ends the waiter, and removes the file. */
void trial_end(struct trial *trial);

#endif
