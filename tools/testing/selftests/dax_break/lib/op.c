// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "op.h"
#include "why.h"

static int run_fallocate(int fd, int mode, off_t start, off_t len)
{
	return fallocate(fd, mode, start, len) ? -errno : 0;
}

/* ftruncate(2) down to @start: everything from there on goes, whatever @len. */
static int truncate_run(int fd, off_t start, off_t len)
{
	(void)len;
	return ftruncate(fd, start) ? -errno : 0;
}

static int punch_run(int fd, off_t start, off_t len)
{
	return run_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, len);
}

static int zero_run(int fd, off_t start, off_t len)
{
	return run_fallocate(fd, FALLOC_FL_ZERO_RANGE, start, len);
}

static int collapse_run(int fd, off_t start, off_t len)
{
	return run_fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, start, len);
}

static int insert_run(int fd, off_t start, off_t len)
{
	return run_fallocate(fd, FALLOC_FL_INSERT_RANGE, start, len);
}

static int unshare_run(int fd, off_t start, off_t len)
{
	return run_fallocate(fd, FALLOC_FL_UNSHARE_RANGE, start, len);
}

const struct op ops[] = {
	{ "truncate", truncate_run, OP_CUTS },
	{ "punch", punch_run, OP_ZEROES },
	{ "zero", zero_run, OP_ZEROES },
	{ "collapse", collapse_run, OP_REMOVES },
	{ "insert", insert_run, OP_INSERTS },
	{ "unshare", unshare_run, OP_KEEPS },
	{ .name = NULL },
};

const struct op *op_find(const char *name)
{
	for (const struct op *op = ops; op->name; op++)
		if (!strcmp(op->name, name))
			return op;
	return NULL;
}

int op_probe(const struct op *op, const char *dir)
{
	struct dax_file file;
	int rc = dax_file_create(&file, dir, 2);

	if (rc)
		return rc;
	rc = op->run(file.fd, 0, file.page_size);
	dax_file_close(&file, false);
	if (rc == -EOPNOTSUPP)
		return why_set(EOPNOTSUPP, "this filesystem does not have %s", op->name);
	if (rc)
		return why_set(-rc, "P4 broken: %s returned %d (%s), with nothing mapped or pinned",
			       op->name, rc, strerror(-rc));
	return 0;
}

static unsigned int pages_after(enum op_effect effect, unsigned int pages, unsigned int first,
				unsigned int count)
{
	switch (effect) {
	case OP_CUTS:
		return first;
	case OP_REMOVES:
		return pages - count;
	case OP_INSERTS:
		return pages + count;
	default:
		return pages;
	}
}

/* Which page of before is @page now? -1: none, it is zero. */
static long origin(enum op_effect effect, long page, long first, long count)
{
	if (page < first)
		return page;
	switch (effect) {
	case OP_ZEROES:
		return page < first + count ? -1 : page;
	case OP_REMOVES:
		return page + count;
	case OP_INSERTS:
		return page < first + count ? -1 : page - count;
	default:
		return page;
	}
}

int op_check(const struct op *op, const struct dax_file *file, unsigned int first,
	     unsigned int count)
{
	unsigned int pages = pages_after(op->effect, file->pages, first, count);
	off_t size = dax_file_size(file);

	if (size != (off_t)(pages * file->page_size))
		return why_set(EIO, "the file has %lld bytes, not %u pages", (long long)size,
			       pages);
	for (unsigned int page = 0; page < pages; page++) {
		long from = origin(op->effect, page, first, count);

		if (dax_file_page_holds(file, page, from < 0 ? 0 : file->content[from]))
			continue;
		if (from < 0)
			return why_set(EIO, "page %u is not zero", page);
		return why_set(EIO, "page %u is not what page %ld was", page, from);
	}
	return 0;
}
