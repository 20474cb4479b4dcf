/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tables whose rows are in many files, each beside what it is about.
 *
 * A row is a structure that begins with its name. ROW() puts a pointer to it into a
 * section of the program, which the linker collects; that section is the table, and
 * there is no other list. rows_sort() puts it in the order of the names, so that it
 * does not depend on the order of linking.
 *
 * What has rows is linked into every program as it is, not taken out of the library
 * when something refers to it, since nothing does (see the Makefile).
 */
#ifndef DAX_BREAK_BASE_ROWS_H
#define DAX_BREAK_BASE_ROWS_H

#include <stddef.h>

/* Adds @_row, a static structure, to @_table. */
#define ROW(_table, _row) \
	static const typeof(_row) *row_##_row __attribute__((used, section(#_table))) = &(_row)

/* Where the table begins, and where it ends; of pointers to @_type. */
#define ROWS(_table, _type) \
	extern const _type *__start_##_table[], *__stop_##_table[]

/* @begin and @end are those of ROWS(); to be called before main(). */
void rows_sort(void *begin, void *end);

#endif
