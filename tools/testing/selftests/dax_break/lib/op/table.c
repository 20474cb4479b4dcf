// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>

#include "base/rows.h"
#include "op.h"

#define ON_REQUEST	(OP_RARE | OP_URING)

ROWS(ops, ROWS_MAX);

const struct op *op_next(const struct op *op)
{
	return rows_next(&ops_rows, op);
}

const struct op *op_find(const char *name)
{
	const struct op *op = rows_find(&ops_rows, name);

	if (op)
		return op;
	fprintf(stderr, "no operation is called %s: see lib/op/\n", name);
	abort();
}

bool op_is_for(const struct op *op, const struct filesystem *fs)
{
	return filesystem_has(fs, op->needs) && !filesystem_has(fs, FS_READ_ONLY);
}

int op_run(const struct op *op, const struct op_target *target)
{
	return op->run(op, target);
}

struct cases cases_of_filesystems(unsigned int features)
{
	return (struct cases){ .features = features };
}

struct cases cases_of_ops(unsigned int features, unsigned int with, unsigned int without)
{
	return (struct cases){
		.features = features,
		.with = with,
		.without = without | (ON_REQUEST & ~with),
		.of_ops = true,
	};
}

static bool is_wanted(const struct filesystem *fs, unsigned int features)
{
	return filesystem_has(fs, features) && !(fs->features & FS_READ_ONLY & ~features);
}

static const struct filesystem *next_fs(const struct cases *cases)
{
	const struct filesystem *fs = cases->on.fs;

	while ((fs = filesystem_next(fs)) && !is_wanted(fs, cases->features))
		;
	return fs;
}

static const struct op *next_op(const struct cases *cases)
{
	const struct op *op = cases->on.op;

	while ((op = op_next(op)))
		if (op_is_for(op, cases->on.fs) && (op->flags & cases->with) == cases->with &&
		    !(op->flags & cases->without))
			break;
	return op;
}

bool cases_next(struct cases *cases)
{
	do {
		if (cases->of_ops && cases->on.fs)
			cases->on.op = next_op(cases);
		if (!cases->on.op)
			cases->on.fs = next_fs(cases);
	} while (cases->of_ops && cases->on.fs && !cases->on.op);
	return cases->on.fs;
}
