// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call.h"
#include "dax_file.h"
#include "finding.h"

struct access {
	struct dax_file *file;
	unsigned int page;
};

static ssize_t fault(void *arg)
{
	struct access *access = arg;

	dax_file_touch(access->file, access->page);
	return 0;
}

static ssize_t all(void *arg)
{
	struct access *access = arg;
	struct dax_file *file = access->file;
	off_t offset = access->page * file->page_size;
	struct stat st;
	char byte;

	fault(access);
	if (pread(file->fd, &byte, 1, offset) != 1 || pwrite(file->fd, &byte, 1, offset) != 1)
		return -1;
	return fstat(file->fd, &st);
}

static int bounded(const char *name, ssize_t (*fn)(void *), struct dax_file *file,
		   unsigned int page)
{
	struct access *access = malloc(sizeof(*access));
	int rc;

	if (!access)
		return why_set(ENOMEM, "no memory for a call");
	*access = (struct access){ file, page };
	rc = call_bounded(name, fn, access);
	/* A thread that has not returned still has it. */
	if (rc != -ETIMEDOUT)
		free(access);
	return rc;
}

int access_fault(struct dax_file *file, unsigned int page)
{
	return bounded("a fault", fault, file, page);
}

int access_all(struct dax_file *file, unsigned int page)
{
	return bounded("a fault, read, write or stat", all, file, page);
}
