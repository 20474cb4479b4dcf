/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A file of known content on a DAX filesystem, and a mapping of it.
 *
 * Every page is filled with one 64-bit word. At first that is a tag, made of inode number,
 * generation and page index. So anything else in a page comes from another file, another
 * page, or an earlier time.
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
	unsigned int pages;	/* a last one that is partly in the file counts, too */
	__u64 *content;		/* the word that fills page i; 0 in a hole */
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
	size_t short_by;	/* the file ends so many bytes before its last page does */
	bool plain;		/* a file that is not DAX, in a directory of such */
	bool nameless;		/* by O_TMPFILE: no name leads to it, and its path to nothing */
	ino_t tag;		/* tags of this inode's file instead of its own; 0: its own */
	unsigned int hole, hole_pages;	/* these pages, from @hole on, are a hole */
	unsigned int copy, copy_pages;	/* these pages repeat the tags of those before */
	bool as_room_permits;	/* fewer pages if there is no room for all */
};

/*
 * Creates a file of tagged pages by write(2). No page is mapped, or has an entry in the page
 * cache, yet. All but those of a hole have blocks. A file of a PMD's size or more has them
 * aligned and contiguous, as far as the filesystem can do that. Proves that the file is DAX
 * (STATX_ATTR_DAX). The caller has to call dax_file_close().
 */
int dax_file_create(struct dax_file *file, const struct dax_file_spec *spec);

/* A way to map a file. The last one of the table has no name. */
struct dax_mapping {
	const char *name;
	int prot, flags;	/* of mmap(2) */
};

extern const struct dax_mapping dax_mappings[];

/* The page table entries by which a mapping may refer to the pages. */
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

/* Faults @page in by a store that does not change it, or, if the mapping allows none, a load. */
void dax_file_touch(struct dax_file *file, unsigned int page);

/* Faults all pages in by loads, as fast as the kernel can. */
void dax_file_populate(struct dax_file *file);

/* Reasons to skip a test that needs a PMD mapping. */
#define DAX_FILE_NO_PMD \
	"no PMD mappings of 16 MiB or less here: CONFIG_TRANSPARENT_HUGEPAGE"
#define DAX_FILE_NO_PMD_HERE \
	"no PMD mapping of a DAX file to be had: CONFIG_FS_DAX_PMD, and extents aligned to it"

/* How many pages a PMD maps; 0 if this kernel has no such entries, or they are too large. */
unsigned int dax_file_pmd_pages(void);

/*
 * Is @page mapped by a PMD? It is if the fault in one page has made all pages of the range
 * present. So this must be called before any other page of the range is touched.
 */
bool dax_file_page_is_pmd(const struct dax_file *file, unsigned int page);

/* Fills @page with the tag of a new generation, by stores through the mapping. */
void dax_file_store(struct dax_file *file, unsigned int page);

/*
 * The offset of the block of @page on the device, in bytes, by FIEMAP; 0 if it has none, or
 * the filesystem does not tell.
 */
__u64 dax_file_physical(const struct dax_file *file, unsigned int page);

/* Notes that a device has filled @page with @word. */
void dax_file_page_got(struct dax_file *file, unsigned int page, __u64 word);

/* Does the file have STATX_ATTR_DAX? */
bool dax_file_is_dax(const struct dax_file *file);

/*
 * Sets or clears FS_XFLAG_DAX of an open file or directory, without a reason in why(). With
 * dax=inode it says whether a file is DAX, once its inode is read in again if it is in
 * memory. New files inherit it from their directory.
 */
int dax_flag_set(int fd, bool on);

/*
 * What a program must be able to do with its file after an operation on it gave up, and in
 * part while one waits: access_fault() faults @page in as dax_file_touch() does;
 * access_all() then reads @page, writes the same bytes to it, and asks for the file's status.
 * A thread does it, so that a lock that is never released stops one test, not the run:
 * -ETIMEDOUT after DEADLINE_MS.
 */
int access_fault(struct dax_file *file, unsigned int page);
int access_all(struct dax_file *file, unsigned int page);

/*
 * Closes the file, and opens it again. In between it keeps its name and content, but nothing
 * of ours keeps its inode in memory.
 */
void dax_file_let_go(struct dax_file *file);
int dax_file_reopen(struct dax_file *file);

/* Opens the file once more, for direct I/O. The caller closes *@fd. */
int dax_file_open_direct(const struct dax_file *file, int *fd);

/*
 * Unmaps and closes the file. Deletes it unless it is @busy: an operation that never ended
 * may hold the inode's lock, for which unlink(2) would wait.
 */
void dax_file_close(struct dax_file *file, bool busy);

#endif
