// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "op.h"
#include "why.h"

static int check_size(const struct dax_file *file, off_t size)
{
	off_t seen = dax_file_size(file);

	if (seen != size)
		return why_set(EIO, "the file has %lld bytes, not %lld", (long long)seen,
			       (long long)size);
	return 0;
}

static int check_tagged(const struct dax_file *file, unsigned int first, unsigned int end)
{
	for (unsigned int page = first; page < end; page++)
		if (!dax_file_page_is_tagged(file, page))
			return why_set(EIO, "page %u, outside the operation, has changed", page);
	return 0;
}

static int check_zero(const struct dax_file *file, unsigned int first, unsigned int end)
{
	for (unsigned int page = first; page < end; page++)
		if (!dax_file_page_is_zero(file, page))
			return why_set(EIO, "page %u, inside the operation, is not zero", page);
	return 0;
}

/* ftruncate(2) down to @start: everything from there on goes, whatever @len. */
static int truncate_run(int fd, off_t start, off_t len)
{
	(void)len;
	return ftruncate(fd, start) ? -errno : 0;
}

static int truncate_check(const struct dax_file *file, unsigned int first, unsigned int count)
{
	(void)count;
	return check_size(file, first * file->page_size) ?: check_tagged(file, 0, first);
}

static int punch_run(int fd, off_t start, off_t len)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, len) ? -errno : 0;
}

static int punch_check(const struct dax_file *file, unsigned int first, unsigned int count)
{
	return check_size(file, file->pages * file->page_size) ?:
	       check_tagged(file, 0, first) ?:
	       check_zero(file, first, first + count) ?:
	       check_tagged(file, first + count, file->pages);
}

const struct op ops[] = {
	{ .name = "truncate", .run = truncate_run, .check = truncate_check },
	{ .name = "punch", .run = punch_run, .check = punch_check },
	{ .name = NULL },
};

const struct op *op_find(const char *name)
{
	for (const struct op *op = ops; op->name; op++)
		if (!strcmp(op->name, name))
			return op;
	return NULL;
}
