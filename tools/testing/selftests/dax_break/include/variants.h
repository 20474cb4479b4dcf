/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Variants of fixtures made from the tables when a program starts, instead of by hand:
 * what is added to a table is tested from then on.
 *
 * The first member of every FIXTURE_VARIANT() is a struct fs_op called on. It says which
 * filesystem its tests run on, and names the variant: FILESYSTEM[_OPERATION][_MORE].
 */
#ifndef DAX_BREAK_VARIANTS_H
#define DAX_BREAK_VARIANTS_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"

#include "op.h"

/* Variants that differ in nothing else. */
#define FIXTURE_VARIANT_ON(_fixture) \
	FIXTURE_VARIANT(_fixture) { \
		struct fs_op on; \
	}; \
	struct fs_op

/* Adds a variant with @_data, a FIXTURE_VARIANT(_fixture). */
#define VARIANT_ADD(_fixture, _data) \
	variant_add(&_##_fixture##_fixture_object, &(_data).on, sizeof(_data), NULL)

/* The same, with more at the end of its name, as for printf(3). */
#define VARIANT_ADD_AS(_fixture, _data, ...) \
	variant_add(&_##_fixture##_fixture_object, &(_data).on, sizeof(_data), \
		    variant_suffix(__VA_ARGS__))

/*
 * A variant for each of cases_of_ops(), or of cases_of_filesystems(), with no more data
 * than that.
 */
#define VARIANTS_OF_OPS(_fixture, _features, _with, _without) \
	variants_add(&_##_fixture##_fixture_object, sizeof(FIXTURE_VARIANT(_fixture)), \
		     cases_of_ops(_features, _with, _without))

#define VARIANTS_OF_FILESYSTEMS(_fixture, _features) \
	variants_add(&_##_fixture##_fixture_object, sizeof(FIXTURE_VARIANT(_fixture)), \
		     cases_of_filesystems(_features))

/* It stays until the program ends. */
static inline char *__printf(1, 2) variant_suffix(const char *fmt, ...)
{
	char *suffix;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&suffix, fmt, ap) < 0)
		ksft_exit_fail_msg("no memory for the variants\n");
	va_end(ap);
	return suffix;
}

/* @on is the first member of data of @size bytes. */
static inline void variant_add(struct __fixture_metadata *fixture, const struct fs_op *on,
			       size_t size, const char *suffix)
{
	struct __fixture_variant_metadata *variant = calloc(1, sizeof(*variant));
	void *copy = malloc(size);

	if (!variant || !copy)
		ksft_exit_fail_msg("no memory for the variants\n");
	variant->name = variant_suffix("%s%s%s%s%s", on->fs->name, on->op ? "_" : "",
				       on->op ? on->op->name : "", suffix ? "_" : "",
				       suffix ?: "");
	variant->data = memcpy(copy, on, size);
	__register_fixture_variant(fixture, variant);
}

static inline void variants_add(struct __fixture_metadata *fixture, size_t size,
				struct cases cases)
{
	while (cases_next(&cases)) {
		struct fs_op *data = calloc(1, size);

		if (!data)
			ksft_exit_fail_msg("no memory for the variants\n");
		*data = cases.on;
		variant_add(fixture, data, size, NULL);
		free(data);
	}
}

#endif
