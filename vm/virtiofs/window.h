/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The DAX window, range by range: which file the guest sees where. A range that the guest
 * has given back shows nobody's memory, a trap, until it is used again: so whoever still
 * writes there is noticed, and harms nobody.
 */
#ifndef VIRTIOFS_WINDOW_H
#define VIRTIOFS_WINDOW_H

#include <linux/types.h>

#include "store.h"

/* A window of @size bytes, with nothing in it. */
void window_init(__u64 size);

/* The guest sees the range of @node's file that begins at @offset, at @at of the window. */
int window_map(struct node *node, __u64 offset, __u64 at);

/* It has given the ranges in there back. */
int window_unmap(__u64 at, __u64 len);

/* The node goes, and whatever is still mapped of it. */
void window_forget(const struct node *node);

/* How many it has. */
unsigned int window_ranges(void);

/* Has a trap been accessed? Complains of each. */
void window_look(const char *when);

#endif
