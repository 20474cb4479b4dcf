/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file of known content on a DAX filesystem, and a shared mapping of it.
 *
 * Every page is filled with one 64-bit word, at first a tag that says whose it is:
 * inode number and page index. Whatever else is found in a page came from elsewhere.
 */
#ifndef DAX_BREAK_DAX_FILE_H
#define DAX_BREAK_DAX_FILE_H

#include <stdbool.h>
#include <linux/types.h>
#include <sys/types.h>

struct dax_file {
	int fd;			/* -1: not open */
	char path[256];
	ino_t ino;
	size_t page_size;	/* bytes */
	unsigned int pages;	/* at creation */
	__u64 *content;		/* what page i is filled with; see dax_file_page_got() */
	char *map;		/* whole file, MAP_SHARED, writable; NULL: not mapped */
};

/*
 * Creates a file of @pages tagged pages in @dir, written through write(2) and
 * synced: no page is mapped or has an entry in the mapping yet. Proves that it
 * is DAX (STATX_ATTR_DAX). The caller ends it with dax_file_close().
 */
int dax_file_create(struct dax_file *file, const char *dir, unsigned int pages);

/* Maps the file; touches no page. */
int dax_file_map(struct dax_file *file);
void dax_file_unmap(struct dax_file *file);

/* Address of @page in the mapping. */
void *dax_file_page(const struct dax_file *file, unsigned int page);

/* Faults @page in by a store that does not change it. */
void dax_file_touch(struct dax_file *file, unsigned int page);

/* A device has filled @page with @word. */
void dax_file_page_got(struct dax_file *file, unsigned int page, __u64 word);

/* Does @page read back (read(2)) as filled with @word? */
bool dax_file_page_holds(const struct dax_file *file, unsigned int page, __u64 word);

/* Bytes, or a negative errno. */
off_t dax_file_size(const struct dax_file *file);

/*
 * Unmaps and closes. The file is deleted unless it is @busy: an operation that
 * never ended may hold the inode's lock, and unlink(2) would wait for that.
 */
void dax_file_close(struct dax_file *file, bool busy);

#endif
