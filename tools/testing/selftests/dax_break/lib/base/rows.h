/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tables whose rows are in many files, each beside what it is about.
 *
 * A row is a structure that begins with its name. ROW() defines it, and adds it to its
 * table before main() begins; there is no other list. Rows are in the order of their
 * names, which does not depend on the order of linking.
 *
 * Nothing refers to a row, so files that have some are linked into every program as they
 * are, not taken out of the library when something refers to them (see the Makefile).
 */
#ifndef DAX_BREAK_BASE_ROWS_H
#define DAX_BREAK_BASE_ROWS_H

#define ROWS_MAX	128

struct rows {
	unsigned int count, max;
	const void *row[ROWS_MAX];
};

/*
 * Defines @_table, of up to @_max rows, as a struct rows called TABLE_rows. Used once, in the
 * file that has the table's functions.
 */
#define ROWS(_table, _max) \
	extern struct rows _table##_rows; \
	struct rows _table##_rows = { .max = _max }

/* Defines a row of @_table: ROW(ops, struct op, punch) = { ... }; */
#define ROW(_table, type, _row) \
	static const type row_##_row; \
	static void __attribute__((constructor)) add_##_row(void) \
	{ \
		extern struct rows _table##_rows; \
\
		rows_add(&_table##_rows, &row_##_row); \
	} \
	static const type row_##_row

/* Ends the program if there is a row of that name, or no room. */
void rows_add(struct rows *rows, const void *row);

/* The first for NULL; NULL after the last. */
const void *rows_next(const struct rows *rows, const void *row);

/* NULL: none is called @name. */
const void *rows_find(const struct rows *rows, const char *name);

#endif
