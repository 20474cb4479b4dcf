/* SPDX-License-Identifier: GPL-2.0 */
/*
 * virtiofs whose server is the tests' own, virtiofs_server on the host. Tests do not touch
 * any other virtiofs: it does not have what they need. virtiofs/protocol.h describes the
 * orders that the server takes, and what it tells. @mount is where it is mounted.
 */
#ifndef DAX_BREAK_VIRTIOFS_H
#define DAX_BREAK_VIRTIOFS_H

#include "finding.h"

/* A range, which is what a guest maps at once, in bytes: FUSE_DAX_SZ of fs/fuse/dax.c. */
#define VIRTIOFS_RANGE		(2UL << 20)

/* The kernel function in which a task waits for the server's reply: fs/fuse/dev.c. */
#define VIRTIOFS_WAIT		"request_wait_answer"

/* -EIO: the server complains. why() is the first complaint; none is made twice. */
int virtiofs_complaint(const char *mount);

/*
 * Gives the server an order. *@fd is -1 before the first one. Orders are in force until
 * the caller closes *@fd.
 */
int __printf(3, 4) virtiofs_order(const char *mount, int *fd, const char *fmt, ...);

/* How many replies the server keeps back, and how many ranges its DAX window has. */
struct virtiofs_state {
	unsigned int held, ranges;
};

/* What the server tells of itself, after an order. All 0 if it does not say. */
struct virtiofs_state virtiofs_state(int fd);

#endif
