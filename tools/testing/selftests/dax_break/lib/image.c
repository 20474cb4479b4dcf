// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/types.h>
#include <unistd.h>

#include "image.h"
#include "why.h"

#define CHUNK		(256 * 1024)
#define EXTENTS		64

static size_t pages_of(const struct image *image, off_t bytes)
{
	return (bytes + image->page_size - 1) / image->page_size;
}

int image_of(struct image *image, const struct dax_file *file, off_t more)
{
	size_t words = file->page_size / sizeof(__u64);

	*image = (struct image){
		.size = file->size,
		.page_size = file->page_size,
		.room = (off_t)file->pages * file->page_size + more,
	};
	image->data = calloc(1, image->room);
	image->backing = calloc(pages_of(image, image->room), sizeof(*image->backing));
	if (!image->data || !image->backing) {
		image_free(image);
		return why_set(ENOMEM, "no memory for an image of %s", file->path);
	}
	for (unsigned int page = 0; page < file->pages; page++) {
		__u64 *word = (__u64 *)(image->data + page * file->page_size);

		/* Neither a tag nor what a device writes is 0. */
		image->backing[page] = file->content[page] ? IMAGE_DATA : IMAGE_HOLE;
		for (size_t i = 0; file->content[page] && i < words; i++)
			word[i] = file->content[page];
	}
	return 0;
}

void image_free(struct image *image)
{
	free(image->data);
	free(image->backing);
	image->data = NULL;
	image->backing = NULL;
}

void image_cut(struct image *image, off_t start)
{
	image->size = start;
}

/*
 * The pages that lie in the range as a whole: *@first, and the one behind the last.
 * What lies behind the end of the image is not missed.
 */
static size_t whole_pages(const struct image *image, off_t start, off_t len, size_t *first)
{
	*first = pages_of(image, start);
	return start + len < image->size ? (start + len) / image->page_size :
					   pages_of(image, image->size);
}

void image_zero(struct image *image, off_t start, off_t len, enum image_backing backing)
{
	size_t page, end;

	memset(image->data + start, 0, len);
	if (start + len > image->size)
		image->size = start + len;
	end = whole_pages(image, start, len, &page);
	for (; page < end; page++)
		image->backing[page] = backing;
	/* To zero the rest of the file is to take the block or not: both are done. */
	if (start + len == image->size && len && image->size % image->page_size)
		image->backing[page - 1] = IMAGE_ANY;
}

void image_remove(struct image *image, off_t start, off_t len)
{
	size_t first = start / image->page_size, count = len / image->page_size;
	size_t pages = pages_of(image, image->size);

	memmove(image->data + start, image->data + start + len, image->size - start - len);
	memmove(image->backing + first, image->backing + first + count,
		(pages - first - count) * sizeof(*image->backing));
	image->size -= len;
}

void image_insert(struct image *image, off_t start, off_t len)
{
	size_t first = start / image->page_size, count = len / image->page_size;
	size_t pages = pages_of(image, image->size);

	memmove(image->data + start + len, image->data + start, image->size - start);
	memmove(image->backing + first + count, image->backing + first,
		(pages - first) * sizeof(*image->backing));
	image->size += len;
	image_zero(image, start, len, IMAGE_HOLE);
}

void image_allocate(struct image *image, off_t start, off_t len)
{
	size_t page, end = whole_pages(image, start, len, &page);

	for (; page < end; page++)
		if (image->backing[page] == IMAGE_HOLE)
			image->backing[page] = IMAGE_ANY;
}

void image_share(struct image *to, struct image *from, off_t start, off_t len)
{
	size_t page, end = whole_pages(from, start, len, &page);

	memcpy(to->data + start, from->data + start, len);
	for (; page < end; page++) {
		if (from->backing[page] == IMAGE_DATA)
			from->backing[page] = IMAGE_SHARED;
		to->backing[page] = from->backing[page];
	}
}

void image_swap(struct image *a, struct image *b, off_t start, off_t len)
{
	size_t page, end = whole_pages(a, start, len, &page);

	for (off_t i = start; i < start + len; i++) {
		char byte = a->data[i];

		a->data[i] = b->data[i];
		b->data[i] = byte;
	}
	for (; page < end; page++) {
		enum image_backing backing = a->backing[page];

		a->backing[page] = b->backing[page];
		b->backing[page] = backing;
	}
}

static int compare_data(const struct image *image, int fd, const char *name)
{
	char *buf = malloc(CHUNK);
	off_t at = 0;

	while (buf && at < image->size) {
		ssize_t n = pread(fd, buf, CHUNK, at);

		if (n <= 0)
			break;
		if (n > image->size - at)
			n = image->size - at;
		if (memcmp(buf, image->data + at, n)) {
			ssize_t i = 0;
			__u64 is, should;

			while (buf[i] == image->data[at + i])
				i++;
			i -= i % sizeof(is);
			memcpy(&is, buf + i, sizeof(is));
			memcpy(&should, image->data + at + i, sizeof(should));
			why_set(EIO, "page %lld of %s holds %#llx at byte %lld, not %#llx",
				(long long)((at + i) / image->page_size), name,
				(unsigned long long)is,
				(long long)((at + i) % image->page_size),
				(unsigned long long)should);
			free(buf);
			return -EIO;
		}
		at += n;
	}
	free(buf);
	return at < image->size ? why_set(EIO, "%s cannot be read: %s", name, strerror(errno)) : 0;
}

static const char *const backing_names[] = {
	[IMAGE_ANY] = "blocks or none",
	[IMAGE_HOLE] = "no block",
	[IMAGE_DATA] = "a block of its own",
	[IMAGE_SHARED] = "a shared block",
};

static int compare_backing(const struct image *image, int fd, const char *name, size_t page,
			   enum image_backing is)
{
	off_t start = page * image->page_size;
	enum image_backing should = image->backing[page];

	if (should != IMAGE_ANY && is != should)
		return why_set(EIO, "page %zu of %s has %s (FIEMAP), not %s", page, name,
			       backing_names[is], backing_names[should]);
	if (should == IMAGE_HOLE && lseek(fd, start, SEEK_HOLE) != start)
		return why_set(EIO, "page %zu of %s is no hole (SEEK_HOLE)", page, name);
	if (should > IMAGE_HOLE && lseek(fd, start, SEEK_DATA) != start)
		return why_set(EIO, "page %zu of %s is no data (SEEK_DATA)", page, name);
	return 0;
}

/* All pages from @page up to byte @until. */
static int compare_pages(const struct image *image, int fd, const char *name, size_t *page,
			 off_t until, enum image_backing is)
{
	int rc = 0;

	if (until > image->size)
		until = image->size;
	for (; !rc && (off_t)(*page * image->page_size) < until; (*page)++)
		rc = compare_backing(image, fd, name, *page, is);
	return rc;
}

static int compare_extents(const struct image *image, int fd, const char *name)
{
	struct {
		struct fiemap map;
		struct fiemap_extent extents[EXTENTS];
	} ask;
	size_t page = 0;
	bool last = false;
	int rc = 0;

	while (!rc && !last) {
		memset(&ask, 0, sizeof(ask));
		ask.map.fm_start = page * image->page_size;
		ask.map.fm_length = FIEMAP_MAX_OFFSET - ask.map.fm_start;
		ask.map.fm_extent_count = EXTENTS;
		if (ioctl(fd, FS_IOC_FIEMAP, &ask))
			return why_set(errno, "no extents of %s to be had: %s", name,
				       strerror(errno));
		last = !ask.map.fm_mapped_extents;
		for (unsigned int i = 0; !rc && i < ask.map.fm_mapped_extents; i++) {
			const struct fiemap_extent *e = &ask.map.fm_extents[i];
			enum image_backing is = e->fe_flags & FIEMAP_EXTENT_SHARED ?
						IMAGE_SHARED : IMAGE_DATA;

			/* Reserved, but not written. */
			if (e->fe_flags & FIEMAP_EXTENT_UNWRITTEN)
				is = IMAGE_ANY;
			last = e->fe_flags & FIEMAP_EXTENT_LAST;
			rc = compare_pages(image, fd, name, &page, e->fe_logical, IMAGE_HOLE);
			rc = rc ?: compare_pages(image, fd, name, &page,
						 e->fe_logical + e->fe_length, is);
			if (!rc && (off_t)e->fe_logical >= image->size &&
			    !(e->fe_flags & FIEMAP_EXTENT_UNWRITTEN))
				rc = why_set(EIO, "%s has written blocks behind its end", name);
		}
	}
	return rc ?: compare_pages(image, fd, name, &page, image->size, IMAGE_HOLE);
}

int image_compare(const struct image *image, int fd, const char *name)
{
	struct stat st;

	if (fstat(fd, &st))
		return why_set(errno, "cannot stat %s: %s", name, strerror(errno));
	if (st.st_size != image->size)
		return why_set(EIO, "%s has %lld bytes, not %lld", name, (long long)st.st_size,
			       (long long)image->size);
	return compare_data(image, fd, name) ?: compare_extents(image, fd, name);
}
