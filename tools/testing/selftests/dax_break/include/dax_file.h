/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file of known content on a DAX filesystem, and a mapping of it.
 *
 * Every page is filled with one 64-bit word, at first a tag that says whose it is:
 * inode number, generation and page index. Whatever else is found in a page came from
 * elsewhere, or from earlier.
 */
#ifndef DAX_BREAK_DAX_FILE_H
#define DAX_BREAK_DAX_FILE_H

#include <stdbool.h>
#include <linux/types.h>
#include <sys/types.h>

struct dax_file {
	int fd;			/* -1: not open */
	char path[256];		/* "": there is no such file */
	ino_t ino;
	size_t page_size;	/* bytes */
	off_t size;		/* bytes, at creation */
	unsigned int pages;	/* the last one maybe only in part */
	__u64 *content;		/* what page i is filled with: 0 in a hole */
	unsigned int generation;	/* of the tags that were stored last */
	char *map;		/* of the whole file; NULL: not mapped */
	bool store;		/* the mapping is shared and writable */
	void *reserved;		/* address space that the mapping lies in */
	size_t reserved_len;
};

/* What dax_file_create() is to make. */
struct dax_file_spec {
	const char *dir;
	unsigned int pages;
	size_t short_by;	/* bytes that the last page lacks */
	bool plain;		/* a file that is not DAX, in a directory of such */
	bool nameless;		/* by O_TMPFILE: no name leads to it, and its path to nothing */
	ino_t tag;		/* tags of this inode's file instead of its own; 0: its own */
	unsigned int hole, hole_pages;	/* these pages, from @hole on, are a hole */
	unsigned int copy, copy_pages;	/* these pages have the tags of as many pages before */
	bool as_room_permits;	/* fewer pages if there is no room for all */
};

/*
 * Creates a file of tagged pages, written through write(2): no page is mapped or
 * has an entry in the mapping yet, all but a hole have blocks, which are aligned and
 * contiguous from a PMD's size on as far as the filesystem can do that. Proves that
 * it is DAX (STATX_ATTR_DAX). The caller ends it with dax_file_close().
 */
int dax_file_create(struct dax_file *file, const struct dax_file_spec *spec);

/* The ways to map a file: one table, which ends with a NULL name. */
struct dax_mapping {
	const char *name;
	int prot, flags;	/* of mmap(2) */
};

extern const struct dax_mapping dax_mappings[];

/* By which entries the mapping can refer to the pages. */
enum dax_entries {
	DAX_PTE,	/* PTEs, whatever size and alignment the extents have */
	DAX_PMD,	/* PMDs where the extents allow it */
};

/*
 * Maps the file as the entry @mapping of the table says; touches no page.
 * -EOPNOTSUPP: the kernel or the memory cannot (MAP_SYNC).
 */
int dax_file_map(struct dax_file *file, const char *mapping, enum dax_entries entries);
void dax_file_unmap(struct dax_file *file);

/* Address of @page in the mapping. */
void *dax_file_page(const struct dax_file *file, unsigned int page);

/* Faults @page in, by a store that does not change it, or a load if there is no storing. */
void dax_file_touch(struct dax_file *file, unsigned int page);

/* Faults all pages in by loads, as fast as the kernel can. */
void dax_file_populate(struct dax_file *file);

/* Why there is no PMD mapping, for those who skip a test then. */
#define DAX_FILE_NO_PMD \
	"no PMD mappings of 16 MiB or less here: CONFIG_TRANSPARENT_HUGEPAGE"
#define DAX_FILE_NO_PMD_HERE \
	"no PMD mapping of a DAX file to be had: CONFIG_FS_DAX_PMD, and extents aligned to it"

/* Pages of a PMD, or 0 if this kernel has none or they are too large to be of use here. */
unsigned int dax_file_pmd_pages(void);

/*
 * Is @page mapped by a PMD? To be asked when nothing else of that PMD's range has
 * been touched: one fault that made all its pages present tells.
 */
bool dax_file_page_is_pmd(const struct dax_file *file, unsigned int page);

/* Fills @page with the tag of a new generation, by stores through the mapping. */
void dax_file_store(struct dax_file *file, unsigned int page);

/*
 * Where the block of @page is on the device, in bytes, by FIEMAP; 0: it has none, or
 * the filesystem does not tell.
 */
__u64 dax_file_physical(const struct dax_file *file, unsigned int page);

/* A device has filled @page with @word. */
void dax_file_page_got(struct dax_file *file, unsigned int page, __u64 word);

/* STATX_ATTR_DAX. */
bool dax_file_is_dax(const struct dax_file *file);

/*
 * Closes it but keeps its name and content, and opens it again: in between nothing
 * of ours keeps the inode in memory.
 */
void dax_file_let_go(struct dax_file *file);
int dax_file_reopen(struct dax_file *file);

/* Opens it once more, for direct I/O: *@fd is for the caller to close. */
int dax_file_open_direct(const struct dax_file *file, int *fd);

/*
 * Unmaps and closes. The file is deleted unless it is @busy: an operation that
 * never ended may hold the inode's lock, and unlink(2) would wait for that.
 */
void dax_file_close(struct dax_file *file, bool busy);

#endif
