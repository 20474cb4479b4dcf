/* SPDX-License-Identifier: GPL-2.0 */
/*
 * FUSE: answers the requests of the guest's kernel (include/uapi/linux/fuse.h, which has
 * the layout of each request and reply; fs/fuse/ sends them). Sizes are in bytes.
 */
#ifndef VIRTIOFS_FUSE_H
#define VIRTIOFS_FUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <linux/fuse.h>
#include <linux/types.h>

#include "store.h"

/* What fuse_answer() returns for a request that has no reply, such as FUSE_FORGET. */
#define NO_REPLY	1

/* How long the guest may cache names and attributes, in seconds: nobody else changes them. */
#define VALID		(24 * 3600)

struct request {
	const struct fuse_in_header *header;
	const void *in;			/* what follows the header, and a byte of 0 after that */
	size_t in_len;
	void *out;			/* the reply, without its header */
	size_t out_max;			/* the room there */
	size_t out_len;			/* the length of the reply */
	bool hold;			/* an order says to keep the reply */
};

/*
 * Does what the request says, and fills in @out, @out_len and @hold, unless an order says
 * to fail. Returns 0, a negative errno, or NO_REPLY.
 */
int fuse_answer(struct request *r);

/*
 * From now on requests called @op, such as "SETATTR", fail with @error, an errno, or, if
 * that is 0, the replies to them are kept. Returns 0, or -EINVAL if there is no such
 * request. Requests for special files are never affected.
 */
int fuse_order(const char *op, int error);

/* No reply is to be kept any more. */
void fuse_end_holds(void);

/* All requests are answered as without orders. */
void fuse_end_orders(void);

/* Whether the guest keeps what it has cached of a file when it opens it; without orders, yes. */
void fuse_keep_cache(bool keep);

/* Makes the reply one of @size bytes, all of them zero. */
static inline void *fuse_reply(struct request *r, size_t size)
{
	r->out_len = size;
	return memset(r->out, 0, size);
}

#define REPLY_WITH(r, type) ((type *)fuse_reply(r, sizeof(type)))

#define FUSE_OPCODES	64

/* A request that the server can answer. */
struct fuse_op {
	__u32 opcode;			/* less than FUSE_OPCODES */
	const char *name;
	size_t in_min;			/* bytes that request.in has at least */
	/* Does what fuse_answer() does. @node is the node that the header names. */
	int (*answer)(struct request *r, struct node *node);
};

#define OP(name, in, answer)	{ FUSE_##name, #name, in, answer }
#define WITH(in)		sizeof(struct fuse_##in)

/* The tree; and files' contents and attributes. An empty element ends each. */
extern const struct fuse_op fuse_names[], fuse_files[];

/* Opens @node; @out is that part of a reply. */
void fuse_opened(struct fuse_open_out *out, struct node *node);

#endif
