/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two files in the root of the filesystem, by which a test in the guest says what the
 * server shall do, and learns what it has seen:
 *
 * .complaints	What the checker complains of, a line each, after a look at everything.
 *		Truncating it clears it.
 *
 * .control	Each write(2) to it is an order, which holds until the file is closed:
 *
 *	hold OP		do what requests called so ask for (FUSE_OP), but keep the reply
 *	go		end that: send the replies that were kept
 *	fail OP ERRNO	answer them so instead, e.g. "fail SETATTR EIO"
 *	keep_cache off	do not tell the guest to keep what it has cached when it opens a file
 *
 *		These are done at once, and last:
 *
 *	resize INO SIZE	the file gets another size, without the guest's knowing
 *	empty		all files go
 *
 *		Reading it gives the number of replies that are kept, and of ranges that
 *		the window has: "held 1 ranges 32".
 */
#ifndef VIRTIOFS_CONTROL_H
#define VIRTIOFS_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "fuse.h"
#include "store.h"

/* Makes the files. */
void control_init(void);

/* The orders: an error to fail with, or 0; is the reply to be kept? */
int control_fails(const struct fuse_op *op);
bool control_holds(const struct fuse_op *op);
bool control_keeps_cache(void);

/* These requests for one of the files; 0 or a negative errno. */
int control_read(const struct node *node, struct request *r, off_t offset, size_t len);
int control_write(const struct node *node, const char *text, size_t len);
int control_truncate(const struct node *node);
void control_closed(const struct node *node);

#endif
