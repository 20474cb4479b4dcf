/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Image: what a file has to look like, in bytes and in blocks. A test makes an image of what
 * it knows of the file, changes it as the operation promises, and compares the two.
 */
#ifndef DAX_BREAK_IMAGE_H
#define DAX_BREAK_IMAGE_H

#include <stdbool.h>
#include <sys/types.h>

#include "dax_file.h"

/* What backs a page, as FIEMAP and SEEK_HOLE tell. */
enum image_backing {
	IMAGE_ANY,		/* nothing is promised */
	IMAGE_HOLE,		/* no block */
	IMAGE_DATA,		/* a written block of its own */
	IMAGE_SHARED,		/* a written block that another file has, too */
};

struct image_page {
	enum image_backing backing;
	__u64 word;			/* what fills the page */
	size_t zero_from, zero_to;	/* but these of its bytes are 0 */
};

struct image {
	off_t size;		/* bytes */
	size_t page_size;
	struct image_page *pages;
};

/*
 * The image of @file as the test knows it, with room for @more bytes. Returns 0, or a negative
 * errno with why() set. The caller has to call image_free().
 */
int image_of(struct image *image, const struct dax_file *file, off_t more);
void image_free(struct image *image);

/*
 * Changes of the image. @start and @len are in bytes. Only image_cut() and image_zero() take
 * parts of pages, whose blocks stay.
 */
void image_cut(struct image *image, off_t start);
void image_zero(struct image *image, off_t start, off_t len, enum image_backing backing);
void image_remove(struct image *image, off_t start, off_t len);
void image_insert(struct image *image, off_t start, off_t len);
/* Holes in the range may have got blocks. */
void image_allocate(struct image *image, off_t start, off_t len);
/*
 * Changes of two files, or of two ranges of one. With image_share(), @to gets the content
 * and shares the blocks, and may become longer.
 */
void image_share(struct image *to, off_t to_start, struct image *from, off_t start, off_t len);
void image_swap(struct image *a, off_t a_start, struct image *b, off_t b_start, off_t len);

/* The page that is filled with @word, or -1. */
long image_find(const struct image *image, __u64 word);

/* Do the ranges have the same content? */
bool image_equal(const struct image *a, off_t a_start, const struct image *b, off_t b_start,
		 off_t len);

/* Returns 0, or -EIO with the first difference in why(), which calls the file @name. */
int image_compare(const struct image *image, int fd, const char *name);

#endif
