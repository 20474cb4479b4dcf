// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rows.h"

static const char *name_of(const void *row)
{
	return *(const char *const *)row;
}

void rows_add(struct rows *rows, const void *row)
{
	unsigned int i = rows->count;

	if (i == rows->max || rows_find(rows, name_of(row))) {
		fprintf(stderr, "a row called %s is there already, or there is no room for it\n",
			name_of(row));
		abort();
	}
	rows->count++;
	for (; i && strcmp(name_of(row), name_of(rows->row[i - 1])) < 0; i--)
		rows->row[i] = rows->row[i - 1];
	rows->row[i] = row;
}

const void *rows_next(const struct rows *rows, const void *row)
{
	unsigned int i = 0;

	while (row && rows->row[i++] != row)
		;
	return i < rows->count ? rows->row[i] : NULL;
}

const void *rows_find(const struct rows *rows, const char *name)
{
	const void *row = NULL;

	while ((row = rows_next(rows, row)) && strcmp(name_of(row), name))
		;
	return row;
}
