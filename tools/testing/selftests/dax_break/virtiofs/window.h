/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The DAX window, range by range: which part of which file the guest sees where.
 *
 * A range that the guest has given back is a trap until it is used again: it shows memory
 * that belongs to no file. So an access by a device that the kernel has not waited for
 * does no harm, and is noticed.
 *
 * Offsets and lengths are in bytes; functions that return an int return 0 or a negative
 * errno.
 */
#ifndef VIRTIOFS_WINDOW_H
#define VIRTIOFS_WINDOW_H

#include <linux/types.h>

/* What is mapped at once, and its alignment in file and window: FUSE_DAX_SZ, fs/fuse/dax.c. */
#define RANGE_SIZE	(2ULL << 20)

/* Makes a window of @size bytes with nothing in it, or ends the server. */
void window_init(__u64 size);

/*
 * Shows the guest, at @at of the window, the range at @offset of file number @node, which
 * is @fd and at least as long.
 */
int window_map(__u64 node, int fd, __u64 offset, __u64 at);

/* The guest gives the ranges in [@at, @at + @len) back. */
int window_unmap(__u64 at, __u64 len);

/* File number @node is about to go: complains of, and unmaps, what is mapped of it. */
void window_forget(__u64 node);

/* How many ranges the window has. */
unsigned int window_ranges(void);

/* Complains of each trap that was accessed; @when, for people, is part of the text. */
void window_look(const char *when);

#endif
