/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The checker: what the host sees of a kernel that did not wait. It complains of
 *
 *	- bytes that appear beyond the end of a file, in a page of which no part is in it;
 *	- bytes that appear in a range that was punched, before the guest was told that it is;
 *	- accesses of a range of the window that the guest has given back;
 *	- ranges that are not given back, and files that are not closed, when they should be.
 *
 * Complaints are kept until they are read: they are the content of a file (control.h).
 */
#ifndef VIRTIOFS_CHECKER_H
#define VIRTIOFS_CHECKER_H

#include <stddef.h>

#include "log.h"
#include "store.h"

/* A line, as for printf(3). */
void complain(const char *fmt, ...);

/* All complaints since they were cleared, a line each. */
const char *checker_complaints(void);
void checker_clear(void);

/* These also remove what they find: it is complained of once. */
void checker_look_beyond_end(struct node *node, const char *when);
void checker_look_at_punched(struct node *node, __u64 start, __u64 len);
void checker_look_at_trap(int trap, __u64 at, __u64 node, __u64 offset, const char *when);

/* At all that there is, but for what was punched. */
void checker_look(const char *when);

/* The guest unmounts: what has it left? */
void checker_look_at_end(void);

#endif
