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

static int write_page(const struct dax_file *file, unsigned int page, __u64 word)
{
	size_t words = file->page_size / sizeof(word);
	__u64 *buf = malloc(file->page_size);
	ssize_t n = -1;

	for (size_t i = 0; buf && i < words; i++)
		buf[i] = word;
	errno = ENOMEM;
	if (buf)
		n = pwrite(file->fd, buf, file->page_size, page * file->page_size);
	free(buf);
	if (n != (ssize_t)file->page_size)
		return why_set(errno, "cannot write %s: %s", file->path, strerror(errno));
	return 0;
}

static int write_tags(struct dax_file *file)
{
	int rc = 0;

	file->content = calloc(file->pages, sizeof(*file->content));
	if (!file->content)
		return why_set(ENOMEM, "no memory for %u pages", file->pages);
	for (unsigned int page = 0; page < file->pages && !rc; page++) {
		file->content[page] = (__u64)file->ino << 32 | 0xda000000 | page;
		rc = write_page(file, page, file->content[page]);
	}
	if (!rc && fsync(file->fd))
		rc = why_set(errno, "cannot sync %s: %s", file->path, strerror(errno));
	return rc;
}

int dax_file_create(struct dax_file *file, const char *dir, unsigned int pages)
{
	struct statx stx = { 0 };
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

void dax_file_page_got(struct dax_file *file, unsigned int page, __u64 word)
{
	file->content[page] = word;
}

bool dax_file_page_holds(const struct dax_file *file, unsigned int page, __u64 word)
{
	__u64 *buf = malloc(file->page_size);
	bool same = buf && pread(file->fd, buf, file->page_size, page * file->page_size) ==
			   (ssize_t)file->page_size;

	for (size_t i = 0; same && i < file->page_size / sizeof(*buf); i++)
		same = buf[i] == word;
	free(buf);
	return same;
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
	free(file->content);
	file->content = NULL;
}
