// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <linux/falloc.h>

#include "checker.h"
#include "control.h"
#include "fuse.h"
#include "log.h"
#include "window.h"

/* Newer than some headers. */
#ifndef FUSE_HAS_INODE_DAX
#define FUSE_HAS_INODE_DAX	0x200000000ULL
#endif

/* The log2 of the alignment that the guest must keep to: a page. */
#define MAP_ALIGNMENT	12
#define MAX_WRITE	(256 << 10)

/* What a guest that knows more takes for "not here", and does without: an errno. */
#define NOT_IMPLEMENTED	38

void *fuse_reply(struct request *r, size_t size)
{
	r->out_len = size;
	return memset(r->out, 0, size);
}

/* A new mount: whatever there was before is no more. */
static void end_mount(void)
{
	struct node *next;

	window_unmap(0, -1ULL >> 1);
	for (struct node *node = store_next(NULL); node; node = next) {
		next = store_next(node);
		node->opens = 0;
		node->lookups = node->id == FUSE_ROOT_ID;
		store_put(node);
	}
}

static int init(struct request *r, struct node *node)
{
	const struct fuse_init_in *in = r->in;
	struct fuse_init_out *out = REPLY_WITH(r, struct fuse_init_out);
	__u64 flags = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_MAX_PAGES | FUSE_MAP_ALIGNMENT |
		      FUSE_PARALLEL_DIROPS | FUSE_ATOMIC_O_TRUNC | FUSE_INIT_EXT |
		      FUSE_HAS_INODE_DAX;

	end_mount();
	flags &= in->flags | (__u64)in->flags2 << 32;
	out->major = FUSE_KERNEL_VERSION;
	out->minor = FUSE_KERNEL_MINOR_VERSION;
	out->max_readahead = in->max_readahead;
	out->flags = flags;
	out->flags2 = flags >> 32;
	out->max_background = 16;
	out->congestion_threshold = 12;
	out->max_write = MAX_WRITE;
	out->max_pages = MAX_WRITE / STORE_PAGE;
	out->time_gran = 1;
	out->map_alignment = MAP_ALIGNMENT;
	note("mounted: FUSE %u.%u%s", in->major, in->minor,
	     flags & FUSE_MAP_ALIGNMENT ? ", with DAX" : "");
	return 0;
}

static int destroy(struct request *r, struct node *node)
{
	checker_look_at_end();
	end_mount();
	note("unmounted");
	return 0;
}

static int statfs(struct request *r, struct node *node)
{
	store_statfs(&REPLY_WITH(r, struct fuse_statfs_out)->st);
	return 0;
}

static int nothing_to_do(struct request *r, struct node *node)
{
	return 0;
}

static int not_replied_to(struct request *r, struct node *node)
{
	return NO_REPLY;
}

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

#define OP(name, in, answer)	{ FUSE_##name, #name, in, answer }
#define WITH(type)		sizeof(struct fuse_##type)

static const struct fuse_op ops[] = {
	OP(INIT, WITH(init_in), init),
	OP(DESTROY, 0, destroy),
	OP(STATFS, 0, statfs),
	OP(INTERRUPT, 0, not_replied_to),
	OP(SYNCFS, 0, nothing_to_do),

	OP(LOOKUP, 1, fuse_lookup),
	OP(FORGET, WITH(forget_in), fuse_forget),
	OP(BATCH_FORGET, WITH(batch_forget_in), fuse_batch_forget),
	OP(MKNOD, WITH(mknod_in), fuse_mknod),
	OP(MKDIR, WITH(mkdir_in), fuse_mkdir),
	OP(CREATE, WITH(create_in), fuse_create),
	OP(TMPFILE, WITH(create_in), fuse_tmpfile),
	OP(UNLINK, 1, fuse_unlink),
	OP(RMDIR, 1, fuse_rmdir),
	OP(RENAME, WITH(rename_in), fuse_rename),
	OP(RENAME2, WITH(rename2_in), fuse_rename2),
	OP(OPENDIR, WITH(open_in), fuse_opendir),
	OP(READDIR, WITH(read_in), fuse_readdir),
	OP(RELEASEDIR, 0, fuse_release),
	OP(FSYNCDIR, 0, nothing_to_do),

	OP(GETATTR, 0, fuse_getattr),
	OP(SETATTR, WITH(setattr_in), fuse_setattr),
	OP(OPEN, WITH(open_in), fuse_open),
	OP(RELEASE, 0, fuse_release),
	OP(FLUSH, 0, nothing_to_do),
	OP(FSYNC, 0, nothing_to_do),
	OP(READ, WITH(read_in), fuse_read),
	OP(WRITE, WITH(write_in), fuse_write),
	OP(FALLOCATE, WITH(fallocate_in), fuse_fallocate),
	OP(COPY_FILE_RANGE, WITH(copy_file_range_in), fuse_copy_file_range),
	OP(IOCTL, WITH(ioctl_in), fuse_ioctl),
	OP(SETUPMAPPING, WITH(setupmapping_in), fuse_setupmapping),
	OP(REMOVEMAPPING, WITH(removemapping_in), fuse_removemapping),
};

const struct fuse_op *fuse_op_find(__u32 opcode)
{
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (ops[i].opcode == opcode)
			return &ops[i];
	return NULL;
}

const struct fuse_op *fuse_op_called(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (!strcmp(ops[i].name, name))
			return &ops[i];
	return NULL;
}

int fuse_answer(struct request *r)
{
	const struct fuse_op *op = fuse_op_find(r->header->opcode);
	struct node *node = store_find(r->header->nodeid ?: FUSE_ROOT_ID);
	int rc;

	r->out_len = 0;
	if (!op)
		return -NOT_IMPLEMENTED;
	if (r->in_len < op->in_min)
		return -EINVAL;
	/* Of a node that is gone there is only one thing to be said. */
	if (!node)
		return op->answer == fuse_forget ? NO_REPLY : -ENOENT;
	rc = node->control ? 0 : control_fails(op);
	return rc ?: op->answer(r, node);
}

void fuse_replying(const struct request *r)
{
	const struct fuse_fallocate_in *in = r->in;
	struct node *node = store_find(r->header->nodeid);

	if (r->header->opcode == FUSE_FALLOCATE && node &&
	    (in->mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)))
		checker_look_at_punched(node, in->offset, in->length);
}
