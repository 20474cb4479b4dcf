/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The files, all of them in memory: a tree of nodes, and the content of regular files in
 * a memfd each, which is what the guest gets to see in its DAX window.
 */
#ifndef VIRTIOFS_STORE_H
#define VIRTIOFS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/fuse.h>
#include <linux/types.h>

/* What FUSE maps at once, and its alignment in file and window: bytes. */
#define RANGE_SIZE	(2ULL << 20)
/* Of files, all together; holes count as if they were none. */
#define STORE_SIZE	(256ULL << 20)
#define STORE_PAGE	4096

struct node {
	struct node *next;		/* of all there are, in the order of their numbers */
	__u64 id;			/* for FUSE, and the inode number; never used again */
	struct node *parent;		/* NULL: it has no name (any more) */
	char name[256];
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct timespec changed;
	bool dax;			/* of a directory: new files in it will be */
	__u64 lookups;			/* how often the guest has been told of it */
	unsigned int opens;
	/* Of regular files */
	__u64 size;			/* bytes */
	int fd;				/* -1: none */
	__u64 room;			/* bytes that @fd has: whole ranges */
	/* Read and written by control.c instead of @fd */
	bool control;
};

/* With the root, which has this number. */
void store_init(void);

struct node *store_find(__u64 id);
struct node *store_child(const struct node *parent, const char *name);
/* In the order of their numbers: the first, or NULL, whose number is above @id. */
struct node *store_next_child(const struct node *parent, __u64 id);
/* For walking over all nodes: the first, if @node is NULL. */
struct node *store_next(const struct node *node);

/* A file or directory, depending on @mode; @name NULL: none. NULL: no memory. */
struct node *store_create(struct node *parent, const char *name, mode_t mode, uid_t uid,
			  gid_t gid);

/* Takes the name away. The node goes as soon as the guest has forgotten it, too. */
void store_unlink(struct node *node);

/* If nothing refers to it any more, frees the node. */
void store_put(struct node *node);

/* All of the file that is below @end gets memory behind it. -ENOSPC: there is not enough. */
int store_reserve(struct node *node, __u64 end);

/* What is cut off, or added, reads as zeroes ever after. */
int store_resize(struct node *node, __u64 size);

/* What the range has becomes a hole; the file stays as long as it is. */
int store_punch(struct node *node, __u64 start, __u64 len);

void store_attr(const struct node *node, struct fuse_attr *attr);
void store_statfs(struct fuse_kstatfs *st);

#endif
