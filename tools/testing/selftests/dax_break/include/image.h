/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Image: what a file is to look like, in bytes and in blocks. Made from what the
 * test knows of the file, changed as an operation promises, compared with the file.
 */
#ifndef DAX_BREAK_IMAGE_H
#define DAX_BREAK_IMAGE_H

#include <stdbool.h>
#include <sys/types.h>

#include "dax_file.h"

/* What backs a page: asked by FIEMAP and SEEK_HOLE. */
enum image_backing {
	IMAGE_ANY,		/* nothing is promised */
	IMAGE_HOLE,		/* no block */
	IMAGE_DATA,		/* a written block of its own */
	IMAGE_SHARED,		/* a written block that another file has, too */
};

struct image_page {
	enum image_backing backing;
	__u64 word;			/* fills it */
	size_t zero_from, zero_to;	/* but for these of its bytes */
};

struct image {
	off_t size;		/* bytes */
	size_t page_size;
	struct image_page *pages;
};

/* @file as the test knows it, with room for @more bytes. To be freed by image_free(). */
int image_of(struct image *image, const struct dax_file *file, off_t more);
void image_free(struct image *image);

/*
 * The changes. Ranges are bytes from @start. Only to zero, and to cut, can be done to
 * a part of a page; its block stays.
 */
void image_cut(struct image *image, off_t start);
void image_zero(struct image *image, off_t start, off_t len, enum image_backing backing);
void image_remove(struct image *image, off_t start, off_t len);
void image_insert(struct image *image, off_t start, off_t len);
/* Holes may have got blocks. */
void image_allocate(struct image *image, off_t start, off_t len);
/*
 * Of two files, or two ranges of one: @to gets the content and the blocks, which are
 * then shared. It may become longer by that.
 */
void image_share(struct image *to, off_t to_start, struct image *from, off_t start, off_t len);
void image_swap(struct image *a, off_t a_start, struct image *b, off_t b_start, off_t len);

/* The page that is filled with @word; -1: none is. */
long image_find(const struct image *image, __u64 word);

/* Is the content the same there? */
bool image_equal(const struct image *a, off_t a_start, const struct image *b, off_t b_start,
		 off_t len);

/* 0, or -EIO with the first difference in why(), in which the file is called @name. */
int image_compare(const struct image *image, int fd, const char *name);

#endif
