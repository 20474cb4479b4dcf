// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <linux/types.h>
#include <unistd.h>

#include "dax_file.h"
#include "why.h"

static __u64 tag(const struct dax_file *file, unsigned int page)
{
	return (__u64)file->ino << 32 | 0xda000000 | page;
}

static int write_tags(struct dax_file *file)
{
	__u64 *buf = malloc(file->page_size);
	int rc = 0;

	if (!buf)
		return why_set(ENOMEM, "no memory for a page");
	for (unsigned int page = 0; page < file->pages && !rc; page++) {
		for (size_t i = 0; i < file->page_size / sizeof(*buf); i++)
			buf[i] = tag(file, page);
		if (pwrite(file->fd, buf, file->page_size, page * file->page_size) !=
		    (ssize_t)file->page_size)
			rc = why_set(errno ?: ENOSPC, "cannot write %s: %s", file->path,
				     strerror(errno ?: ENOSPC));
	}
	free(buf);
	if (!rc && fsync(file->fd))
		rc = why_set(errno, "cannot sync %s: %s", file->path, strerror(errno));
	return rc;
}

int dax_file_create(struct dax_file *file, const char *dir, unsigned int pages)
{
	struct statx stx;
	int rc;

	*file = (struct dax_file){
		.page_size = sysconf(_SC_PAGESIZE),
		.pages = pages,
	};
	snprintf(file->path, sizeof(file->path), "%s/file.XXXXXX", dir);
	file->fd = mkostemp(file->path, O_CLOEXEC);
	if (file->fd < 0)
		return why_set(errno, "cannot create %s: %s", file->path, strerror(errno));
	if (statx(file->fd, "", AT_EMPTY_PATH, STATX_INO, &stx))
		rc = why_set(errno, "cannot stat %s: %s", file->path, strerror(errno));
	else if (!(stx.stx_attributes & STATX_ATTR_DAX))
		rc = why_set(EINVAL, "%s is not a DAX file", file->path);
	else
		rc = 0;
	file->ino = stx.stx_ino;
	rc = rc ?: write_tags(file);
	if (rc)
		dax_file_close(file, false);
	return rc;
}

int dax_file_map(struct dax_file *file)
{
	char *map = mmap(NULL, file->pages * file->page_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 file->fd, 0);

	if (map == MAP_FAILED)
		return why_set(errno, "cannot map %s: %s", file->path, strerror(errno));
	file->map = map;
	return 0;
}

void dax_file_unmap(struct dax_file *file)
{
	if (file->map)
		munmap(file->map, file->pages * file->page_size);
	file->map = NULL;
}

void *dax_file_page(const struct dax_file *file, unsigned int page)
{
	return file->map + page * file->page_size;
}

void dax_file_touch(struct dax_file *file, unsigned int page)
{
	char *byte = dax_file_page(file, page);

	__atomic_store_n(byte, __atomic_load_n(byte, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

static bool page_is(const struct dax_file *file, unsigned int page, __u64 word)
{
	__u64 *buf = malloc(file->page_size);
	bool same = buf && pread(file->fd, buf, file->page_size, page * file->page_size) ==
			   (ssize_t)file->page_size;

	for (size_t i = 0; same && i < file->page_size / sizeof(*buf); i++)
		same = buf[i] == word;
	free(buf);
	return same;
}

bool dax_file_page_is_tagged(const struct dax_file *file, unsigned int page)
{
	return page_is(file, page, tag(file, page));
}

bool dax_file_page_is_zero(const struct dax_file *file, unsigned int page)
{
	return page_is(file, page, 0);
}

off_t dax_file_size(const struct dax_file *file)
{
	struct stat st;

	return fstat(file->fd, &st) ? -errno : st.st_size;
}

void dax_file_close(struct dax_file *file, bool busy)
{
	if (file->fd < 0)
		return;
	dax_file_unmap(file);
	if (!busy)
		unlink(file->path);
	close(file->fd);
	file->fd = -1;
}
