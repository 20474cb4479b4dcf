// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "store.h"
#include "stray.h"
#include "window.h"

/* Not in headers before Linux 5.17. */
#ifndef FUSE_ATTR_DAX
#define FUSE_ATTR_DAX	2
#endif

static struct node *first, *last;
static __u64 next_id = FUSE_ROOT_ID;
static __u64 used;	/* bytes of all files, each in whole pages */

static __u64 round_up(__u64 bytes, __u64 unit)
{
	return (bytes + unit - 1) / unit * unit;
}

static void touch(struct node *node)
{
	clock_gettime(CLOCK_REALTIME, &node->changed);
}

struct node *store_find(__u64 id)
{
	struct node *node = first;

	while (node && node->id != id)
		node = node->next;
	return node;
}

struct node *store_next_child(const struct node *parent, __u64 id)
{
	struct node *node = first;

	while (node && (node->id <= id || node->parent != parent || node == parent))
		node = node->next;
	return node;
}

struct node *store_child(const struct node *parent, const char *name)
{
	struct node *node = store_next_child(parent, 0);

	while (node && strcmp(node->name, name))
		node = store_next_child(parent, node->id);
	return node;
}

struct node *store_next(const struct node *node)
{
	return node ? node->next : first;
}

struct node *store_create(struct node *parent, const char *name, mode_t mode, uid_t uid,
			  gid_t gid)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->fd = S_ISREG(mode) ? memfd_create(name ?: "nameless", MFD_CLOEXEC) : -1;
	if (S_ISREG(mode) && node->fd < 0) {
		free(node);
		return NULL;
	}
	node->id = next_id++;
	node->parent = name ? parent : NULL;
	snprintf(node->name, sizeof(node->name), "%s", name ?: "");
	node->mode = mode;
	node->uid = uid;
	node->gid = gid;
	node->dax = parent && parent->dax;
	touch(node);
	*(last ? &last->next : &first) = node;
	last = node;
	return node;
}

void store_init(void)
{
	struct node *root = store_create(NULL, NULL, S_IFDIR | 0755, 0, 0);

	if (!root)
		die("no memory for the root");
	root->parent = root;
	root->lookups = 1;
}

void store_unlink(struct node *node)
{
	node->parent = NULL;
	touch(node);
	store_put(node);
}

static void look_beyond_end(struct node *node, const char *when)
{
	__u64 start = round_up(node->size, STORE_PAGE);
	struct stray stray;

	if (!stray_find(node->fd, start, node->room, &stray) || !stray.written)
		return;
	complain("file %llu (%s) has %llu bytes, but byte %lld was written to%s (seen %s)",
		 (unsigned long long)node->id, node->name, (unsigned long long)node->size,
		 (long long)stray.at, stray.bytes, when);
	stray_remove(node->fd, start, node->room);
}

void store_look(const char *when)
{
	for (struct node *node = first; node; node = node->next)
		if (node->fd >= 0)
			look_beyond_end(node, when);
	window_look(when);
}

void store_look_at_punched(const struct node *node, __u64 start, __u64 len)
{
	__u64 end = start + len < node->room ? start + len : node->room;
	struct stray stray;

	if (stray_find(node->fd, start, end, &stray) && stray.written)
		complain("byte %lld of file %llu (%s) was written to%s while it was being punched",
			 (long long)stray.at, (unsigned long long)node->id, node->name,
			 stray.bytes);
}

static void release(struct node *node)
{
	struct node *before = first;

	if (node->fd >= 0) {
		look_beyond_end(node, "when it was freed");
		window_forget(node->id);
		used -= round_up(node->size, STORE_PAGE);
		close(node->fd);
	}
	/* It is never the first one, which is the root. */
	while (before->next != node)
		before = before->next;
	before->next = node->next;
	if (node == last)
		last = before;
	free(node);
}

void store_put(struct node *node)
{
	if (!node->parent && !node->lookups && !node->opens)
		release(node);
}

int store_reserve(struct node *node, __u64 end)
{
	__u64 room = round_up(end, RANGE_SIZE);

	if (room <= node->room)
		return 0;
	if (end > STORE_SIZE)
		return -EFBIG;
	if (ftruncate(node->fd, room))
		return -errno;
	node->room = room;
	return 0;
}

static int punch_room(struct node *node, __u64 start, __u64 end)
{
	if (end > node->room)
		end = node->room;
	if (start >= end)
		return 0;
	return fallocate(node->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start,
			 end - start) ? -errno : 0;
}

int store_resize(struct node *node, __u64 size)
{
	__u64 old = round_up(node->size, STORE_PAGE), new = round_up(size, STORE_PAGE);
	int rc;

	if (new > old && new - old > STORE_SIZE - used)
		return -ENOSPC;
	look_beyond_end(node, "before its size changed");
	/* A mapping may have left bytes in the last page, beyond the end of the file. */
	rc = store_reserve(node, size) ?:
	     punch_room(node, size < node->size ? size : node->size, node->room);
	if (rc)
		return rc;
	used += new - old;
	node->size = size;
	touch(node);
	return 0;
}

int store_punch(struct node *node, __u64 start, __u64 len)
{
	touch(node);
	return punch_room(node, start, start + len);
}

void store_attr(const struct node *node, struct fuse_attr *attr)
{
	*attr = (struct fuse_attr){
		.ino = node->id,
		.size = node->size,
		.blocks = round_up(node->size, STORE_PAGE) / 512,
		.atime = node->changed.tv_sec,
		.mtime = node->changed.tv_sec,
		.ctime = node->changed.tv_sec,
		.atimensec = node->changed.tv_nsec,
		.mtimensec = node->changed.tv_nsec,
		.ctimensec = node->changed.tv_nsec,
		.mode = node->mode,
		.nlink = !node->parent ? 0 : S_ISDIR(node->mode) ? 2 : 1,
		.uid = node->uid,
		.gid = node->gid,
		.blksize = STORE_PAGE,
		.flags = node->dax && S_ISREG(node->mode) ? FUSE_ATTR_DAX : 0,
	};
}

void store_statfs(struct fuse_kstatfs *st)
{
	*st = (struct fuse_kstatfs){
		.blocks = STORE_SIZE / STORE_PAGE,
		.bfree = (STORE_SIZE - used) / STORE_PAGE,
		.bavail = (STORE_SIZE - used) / STORE_PAGE,
		.files = 1 << 20,
		.ffree = 1 << 19,
		.bsize = STORE_PAGE,
		.frsize = STORE_PAGE,
		.namelen = sizeof(((struct node *)0)->name) - 1,
	};
}
