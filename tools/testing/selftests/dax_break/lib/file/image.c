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

#include "finding.h"
#include "image.h"

#define CHUNK_PAGES	32
#define EXTENTS		64

/* The page that byte @at is in, and the first one behind a range that ends at @end. */
static size_t page_of(const struct image *image, off_t at)
{
	return at / image->page_size;
}

static size_t page_behind(const struct image *image, off_t end)
{
	return (end + image->page_size - 1) / image->page_size;
}

int image_of(struct image *image, const struct dax_file *file, off_t more)
{
	*image = (struct image){ .size = file->size, .page_size = file->page_size };
	image->pages = calloc(file->pages + page_behind(image, more), sizeof(*image->pages));
	if (!image->pages)
		return why_set(ENOMEM, "no memory for an image of %s", file->path);
	for (unsigned int page = 0; page < file->pages; page++) {
		/* Neither a tag nor what a device writes is 0. */
		image->pages[page].backing = file->content[page] ? IMAGE_DATA : IMAGE_HOLE;
		image->pages[page].word = file->content[page];
	}
	return 0;
}

void image_free(struct image *image)
{
	free(image->pages);
	image->pages = NULL;
}

void image_cut(struct image *image, off_t start)
{
	image->size = start;
}

void image_zero(struct image *image, off_t start, off_t len, enum image_backing backing)
{
	off_t end = start + len, page_size = image->page_size;

	if (end > image->size)
		image->size = end;
	for (size_t i = page_of(image, start); i < page_behind(image, end); i++) {
		struct image_page *page = &image->pages[i];
		off_t base = i * page_size;
		off_t from = start > base ? start - base : 0;
		off_t to = end - base < page_size ? end - base : page_size;

		if (!from && to == page_size) {
			*page = (struct image_page){ .backing = backing };
			continue;
		}
		page->zero_from = from;
		page->zero_to = to;
		/* To zero all of the last page is to take the block or not: both are done. */
		if (!from && end == image->size)
			page->backing = IMAGE_ANY;
	}
}

void image_remove(struct image *image, off_t start, off_t len)
{
	size_t first = page_of(image, start), behind = page_of(image, start + len);

	memmove(&image->pages[first], &image->pages[behind],
		(page_behind(image, image->size) - behind) * sizeof(*image->pages));
	image->size -= len;
}

void image_insert(struct image *image, off_t start, off_t len)
{
	size_t first = page_of(image, start), behind = page_of(image, start + len);

	memmove(&image->pages[behind], &image->pages[first],
		(page_behind(image, image->size) - first) * sizeof(*image->pages));
	image->size += len;
	image_zero(image, start, len, IMAGE_HOLE);
}

void image_allocate(struct image *image, off_t start, off_t len)
{
	for (size_t i = page_of(image, start); i < page_behind(image, start + len); i++)
		if (image->pages[i].backing == IMAGE_HOLE)
			image->pages[i].backing = IMAGE_ANY;
}

void image_share(struct image *to, off_t to_start, struct image *from, off_t start, off_t len)
{
	struct image_page *source = &from->pages[page_of(from, start)];
	struct image_page *dest = &to->pages[page_of(to, to_start)];

	for (size_t i = 0; i < page_behind(from, start + len) - page_of(from, start); i++) {
		if (source[i].backing == IMAGE_DATA)
			source[i].backing = IMAGE_SHARED;
		dest[i] = source[i];
	}
	if (to->size < to_start + len)
		to->size = to_start + len;
}

void image_swap(struct image *a, off_t a_start, struct image *b, off_t b_start, off_t len)
{
	struct image_page *one = &a->pages[page_of(a, a_start)];
	struct image_page *other = &b->pages[page_of(b, b_start)];

	for (size_t i = 0; i < page_behind(a, a_start + len) - page_of(a, a_start); i++) {
		struct image_page page = one[i];

		one[i] = other[i];
		other[i] = page;
	}
}

long image_find(const struct image *image, __u64 word)
{
	for (size_t i = 0; i < page_behind(image, image->size); i++)
		if (image->pages[i].word == word && !image->pages[i].zero_to)
			return i;
	return -1;
}

bool image_equal(const struct image *a, off_t a_start, const struct image *b, off_t b_start,
		 off_t len)
{
	const struct image_page *one = &a->pages[page_of(a, a_start)];
	const struct image_page *other = &b->pages[page_of(b, b_start)];

	for (size_t i = 0; i < page_behind(a, a_start + len) - page_of(a, a_start); i++)
		if (one[i].word != other[i].word)
			return false;
	return true;
}

/* Page @i as read, of which @len bytes are in the file. */
static int compare_page(const struct image *image, size_t i, const __u64 *words, size_t len,
			const char *name)
{
	const struct image_page *page = &image->pages[i];

	for (size_t at = 0; at + sizeof(*words) <= len; at += sizeof(*words)) {
		bool zero = at >= page->zero_from && at < page->zero_to;
		__u64 should = zero ? 0 : page->word, is = words[at / sizeof(*words)];

		if (is != should)
			return why_set(EIO, "page %zu of %s holds %#llx at byte %zu, not %#llx", i,
				       name, (unsigned long long)is, at,
				       (unsigned long long)should);
	}
	return 0;
}

/* Where that is @told, holes need not be read: SEEK_HOLE tells that they are. */
static int compare_data(const struct image *image, int fd, const char *name, bool told)
{
	size_t pages = page_behind(image, image->size), page_size = image->page_size;
	char *buf = malloc(CHUNK_PAGES * page_size);
	int rc = buf ? 0 : why_set(ENOMEM, "no memory to read %s", name);

	for (size_t i = 0, count; !rc && i < pages; i += count) {
		ssize_t n;

		for (count = 0; count < CHUNK_PAGES && i + count < pages &&
		     (!told || image->pages[i + count].backing != IMAGE_HOLE); count++)
			;
		if (!count) {
			count = 1;
			continue;
		}
		n = pread(fd, buf, count * page_size, i * page_size);
		if (n < image->size - (off_t)(i * page_size) && n < (ssize_t)(count * page_size))
			rc = why_set(EIO, "%s cannot be read: %s", name, strerror(errno));
		for (size_t j = 0; !rc && j < count; j++) {
			size_t left = n - j * page_size;

			rc = compare_page(image, i + j, (__u64 *)(buf + j * page_size),
					  left < page_size ? left : page_size, name);
		}
	}
	free(buf);
	return rc;
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
	enum image_backing should = image->pages[page].backing;

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
	union {
		struct fiemap map;
		char room[sizeof(struct fiemap) + EXTENTS * sizeof(struct fiemap_extent)];
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

/* FUSE does not: where blocks are is its server's business. */
static bool tells_extents(int fd)
{
	struct fiemap ask = { .fm_length = FIEMAP_MAX_OFFSET };

	return !ioctl(fd, FS_IOC_FIEMAP, &ask) || errno != EOPNOTSUPP;
}

int image_compare(const struct image *image, int fd, const char *name)
{
	struct stat st;
	bool told;

	if (fstat(fd, &st))
		return why_set(errno, "cannot stat %s: %s", name, strerror(errno));
	if (st.st_size != image->size)
		return why_set(EIO, "%s has %lld bytes, not %lld", name, (long long)st.st_size,
			       (long long)image->size);
	told = tells_extents(fd);
	return compare_data(image, fd, name, told) ?:
	       (told ? compare_extents(image, fd, name) : 0);
}
