/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The files, all of them in memory: a tree of nodes. The content of a regular file is a
 * memfd, which is what the guest sees in its DAX window. The store complains of what a
 * kernel that did not wait has written to them.
 *
 * Sizes and offsets are in bytes. Functions that return an int return 0 or a negative
 * errno. Nodes belong to the store: one is freed once it has no name, the guest has
 * forgotten it, and it is not open, which is why store_unlink() and store_put() may free it.
 */
#ifndef VIRTIOFS_STORE_H
#define VIRTIOFS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/fuse.h>
#include <linux/types.h>

/* How many bytes all files may have together. Holes count, too. */
#define STORE_SIZE	(256ULL << 20)
#define STORE_PAGE	4096

/* A file that is not memory but a way to talk to the server. Calls may be NULL. */
struct special {
	const char *(*text)(void);			/* what the file contains now */
	int (*write)(const char *text, size_t len);
	void (*truncate)(void);
	void (*closed)(void);				/* nobody has it open any more */
};

struct node {
	struct node *next;		/* of all nodes, in the order of their numbers */
	__u64 id;			/* number in FUSE, and inode number; never used again */
	struct node *parent;		/* NULL if it has no name, or none any more */
	char name[256];
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct timespec changed;
	bool dax;			/* FS_XFLAG_DAX, which new files inherit */
	__u64 lookups;			/* what FUSE calls nlookup */
	unsigned int opens;
	/* Of regular files */
	__u64 size;
	int fd;				/* -1 if it is not a regular file */
	__u64 room;			/* length of @fd: whole ranges, as they are mapped whole */
	const struct special *special;	/* NULL for all but those of control.c */
};

/* Makes the root, which has number FUSE_ROOT_ID. */
void store_init(void);

struct node *store_find(__u64 id);
struct node *store_child(const struct node *parent, const char *name);
/* The child with the lowest number above @id, or NULL. */
struct node *store_next_child(const struct node *parent, __u64 id);
/* The node after @node, or the first of all if @node is NULL. */
struct node *store_next(const struct node *node);

/*
 * Creates a directory or a regular file, as @mode says. It has no name if @name is NULL.
 * Returns NULL if there is no memory.
 */
struct node *store_create(struct node *parent, const char *name, mode_t mode, uid_t uid,
			  gid_t gid);

/* Takes the node's name away. */
void store_unlink(struct node *node);

/* Frees the node if nothing refers to it any more. */
void store_put(struct node *node);

/* Gives @fd room for all ranges of the file below @end, so that they can be mapped. */
int store_reserve(struct node *node, __u64 end);

/* Whatever is cut off or added by this reads as zeroes from then on. */
int store_resize(struct node *node, __u64 size);

/* Makes a hole; the file's size does not change. */
int store_punch(struct node *node, __u64 start, __u64 len);

/*
 * Complains of bytes in pages that are wholly beyond the end of a file, and of accesses to
 * ranges of the window that were given back (window.h). It removes them, so it complains
 * once. @when, for people, is part of the text. The store itself looks at a file before its
 * size changes, and before it is freed.
 */
void store_look(const char *when);

/* Complains of bytes in [@start, @start + @len) of the file, which was punched. */
void store_look_at_punched(const struct node *node, __u64 start, __u64 len);

void store_attr(const struct node *node, struct fuse_attr *attr);
void store_statfs(struct fuse_kstatfs *st);

#endif
