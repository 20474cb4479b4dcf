// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>

#include "fuse.h"
#include "log.h"
#include "window.h"

/* Not in headers before Linux 5.17. */
#ifndef FUSE_HAS_INODE_DAX
#define FUSE_HAS_INODE_DAX	0x200000000ULL
#endif

/* The log2 of the alignment that the guest must keep to when it maps: a page. */
#define MAP_ALIGNMENT	12
#define MAX_WRITE	(256 << 10)

/* ENOSYS, by which a guest learns that the server does not know a request. */
#define NOT_IMPLEMENTED	38

/* The orders in force, by opcode. */
static int fail_with[FUSE_OPCODES];	/* an errno, or 0 */
static bool hold[FUSE_OPCODES];

/* What a mount had mapped, open and looked up is no more. */
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
	for (node = store_next(NULL); node; node = store_next(node))
		if (node->opens)
			complain("file %llu (%s) is still open, when the guest unmounts",
				 (unsigned long long)node->id, node->name);
	store_look("when the guest unmounted");
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

static int no_reply(struct request *r, struct node *node)
{
	return NO_REPLY;
}

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

static const struct fuse_op fuse_whole[] = {
	OP(INIT, WITH(init_in), init),
	OP(DESTROY, 0, destroy),
	OP(STATFS, 0, statfs),
	OP(INTERRUPT, 0, no_reply),
	OP(FLUSH, 0, nothing_to_do),
	OP(FSYNC, 0, nothing_to_do),
	OP(FSYNCDIR, 0, nothing_to_do),
	OP(SYNCFS, 0, nothing_to_do),
	{ }
};

/* The request called @name, or, if that is NULL, that with @opcode; NULL: none. */
static const struct fuse_op *find(const char *name, __u32 opcode)
{
	static const struct fuse_op *const tables[] = { fuse_whole, fuse_names, fuse_files };

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct fuse_op *op = tables[i]; op->name; op++)
			if (name ? !strcmp(op->name, name) : op->opcode == opcode)
				return op;
	return NULL;
}

int fuse_order(const char *name, int error)
{
	const struct fuse_op *op = find(name, 0);

	if (!op)
		return -EINVAL;
	if (error)
		fail_with[op->opcode] = error;
	else
		hold[op->opcode] = true;
	return 0;
}

void fuse_end_holds(void)
{
	memset(hold, 0, sizeof(hold));
}

void fuse_end_orders(void)
{
	fuse_end_holds();
	memset(fail_with, 0, sizeof(fail_with));
	fuse_keep_cache(true);
}

int fuse_answer(struct request *r)
{
	const struct fuse_op *op = find(NULL, r->header->opcode);
	/* Requests about the whole filesystem name no node. */
	struct node *node = store_find(r->header->nodeid ?: FUSE_ROOT_ID);
	bool ordered = op && !(node && node->special);

	r->out_len = 0;
	r->hold = ordered && hold[op->opcode];
	if (!op)
		return -NOT_IMPLEMENTED;
	if (r->in_len < op->in_min)
		return -EINVAL;
	if (!node)
		return op->opcode == FUSE_FORGET ? NO_REPLY : -ENOENT;
	if (ordered && fail_with[op->opcode])
		return -fail_with[op->opcode];
	return op->answer(r, node);
}
