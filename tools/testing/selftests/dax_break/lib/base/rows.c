// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "base/rows.h"

struct row {
	const char *name;
};

static int by_name(const void *a, const void *b)
{
	const struct row *const *one = a, *const *other = b;

	return strcmp((*one)->name, (*other)->name);
}

void rows_sort(void *begin, void *end)
{
	struct row **first = begin, **last = end;

	qsort(first, last - first, sizeof(*first), by_name);
}
