/* SPDX-License-Identifier: GPL-2.0 */
/*
 * FUSE (include/uapi/linux/fuse.h): a table of requests, and how they are answered.
 */
#ifndef VIRTIOFS_FUSE_H
#define VIRTIOFS_FUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/fuse.h>
#include <linux/types.h>

#include "store.h"

/* What comes back from FUSE_FORGET and the like: nothing. */
#define NO_REPLY	1

struct request {
	const struct fuse_in_header *header;
	const void *in;			/* what follows it, and a byte of 0 behind that */
	size_t in_len;			/* bytes */
	void *out;			/* what shall follow the header of the reply */
	size_t out_max, out_len;	/* bytes: as much fits, as much it is */
};

struct fuse_op {
	__u32 opcode;
	const char *name;		/* as people write it: "SETATTR" */
	size_t in_min;			/* bytes that @in has at least */
	/*
	 * @node is the one that the header names. Returns 0, with out_len set if there is
	 * more to say, a negative errno, or NO_REPLY.
	 */
	int (*answer)(struct request *r, struct node *node);
};

/* The table: NULL for what is not in it. */
const struct fuse_op *fuse_op_find(__u32 opcode);
const struct fuse_op *fuse_op_called(const char *name);

/* Does what the request says, if nobody has ordered otherwise (control.h). */
int fuse_answer(struct request *r);

/* Only now the reply to @r, which was kept back, is sent: the last look before that. */
void fuse_replying(const struct request *r);

/* A reply of @type, filled with zeroes. */
#define REPLY_WITH(r, type) ((type *)fuse_reply(r, sizeof(type)))
void *fuse_reply(struct request *r, size_t size);

/* fuse_names.c: the tree */
int fuse_lookup(struct request *r, struct node *node);
int fuse_forget(struct request *r, struct node *node);
int fuse_batch_forget(struct request *r, struct node *node);
int fuse_mknod(struct request *r, struct node *node);
int fuse_mkdir(struct request *r, struct node *node);
int fuse_create(struct request *r, struct node *node);
int fuse_tmpfile(struct request *r, struct node *node);
int fuse_unlink(struct request *r, struct node *node);
int fuse_rmdir(struct request *r, struct node *node);
int fuse_rename(struct request *r, struct node *node);
int fuse_rename2(struct request *r, struct node *node);
int fuse_readdir(struct request *r, struct node *node);

/* fuse_files.c: what is in a file, and about it */
int fuse_getattr(struct request *r, struct node *node);
int fuse_setattr(struct request *r, struct node *node);
int fuse_open(struct request *r, struct node *node);
int fuse_opendir(struct request *r, struct node *node);
int fuse_release(struct request *r, struct node *node);
int fuse_read(struct request *r, struct node *node);
int fuse_write(struct request *r, struct node *node);
int fuse_fallocate(struct request *r, struct node *node);
int fuse_copy_file_range(struct request *r, struct node *node);
int fuse_ioctl(struct request *r, struct node *node);
int fuse_setupmapping(struct request *r, struct node *node);
int fuse_removemapping(struct request *r, struct node *node);

/* How fuse_open() and fuse_create() answer. */
void fuse_opened(struct fuse_open_out *out, struct node *node);

#endif
