// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fuse.h"

/* Not in headers before Linux 6.2. */
#if FUSE_KERNEL_MINOR_VERSION < 37
#define FUSE_TMPFILE	51
#endif

/* Tells the guest of @node, which counts as a lookup. */
static int tell(struct fuse_entry_out *out, struct node *node)
{
	*out = (struct fuse_entry_out){
		.nodeid = node->id,
		.entry_valid = VALID,
		.attr_valid = VALID,
	};
	store_attr(node, &out->attr);
	node->lookups++;
	return 0;
}

static int fuse_lookup(struct request *r, struct node *node)
{
	struct node *child = store_child(node, r->in);

	return child ? tell(REPLY_WITH(r, struct fuse_entry_out), child) : -ENOENT;
}

static void forget(__u64 id, __u64 count)
{
	struct node *node = store_find(id);

	if (!node || id == FUSE_ROOT_ID)
		return;
	node->lookups -= count < node->lookups ? count : node->lookups;
	store_put(node);
}

static int fuse_forget(struct request *r, struct node *node)
{
	const struct fuse_forget_in *in = r->in;

	forget(r->header->nodeid, in->nlookup);
	return NO_REPLY;
}

static int fuse_batch_forget(struct request *r, struct node *node)
{
	const struct fuse_batch_forget_in *in = r->in;
	const struct fuse_forget_one *one = (const void *)(in + 1);

	for (__u32 i = 0; i < in->count && (const char *)&one[i + 1] <=
	     (const char *)r->in + r->in_len; i++)
		forget(one[i].nodeid, one[i].nlookup);
	return NO_REPLY;
}

/* Creates *@node, unless there is one of that name. */
static int make(struct request *r, struct node *parent, const char *name, mode_t mode,
		struct node **node)
{
	if (store_child(parent, name))
		return -EEXIST;
	*node = store_create(parent, name, mode, r->header->uid, r->header->gid);
	return *node ? 0 : -ENOMEM;
}

static int make_and_tell(struct request *r, struct node *parent, const char *name, mode_t mode)
{
	struct node *node;

	return make(r, parent, name, mode, &node) ?:
	       tell(REPLY_WITH(r, struct fuse_entry_out), node);
}

static int fuse_mknod(struct request *r, struct node *node)
{
	const struct fuse_mknod_in *in = r->in;

	return make_and_tell(r, node, (const char *)(in + 1), in->mode);
}

static int fuse_mkdir(struct request *r, struct node *node)
{
	const struct fuse_mkdir_in *in = r->in;

	return make_and_tell(r, node, (const char *)(in + 1), S_IFDIR | (in->mode & 07777));
}

static int tell_opened(struct request *r, struct node *node)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} *out = fuse_reply(r, sizeof(*out));

	fuse_opened(&out->open, node);
	return tell(&out->entry, node);
}

static int fuse_create(struct request *r, struct node *parent)
{
	const struct fuse_create_in *in = r->in;
	struct node *node;

	/* Without O_EXCL, too: the kernel has looked whether the file exists. */
	return make(r, parent, (const char *)(in + 1), S_IFREG | (in->mode & 07777), &node) ?:
	       tell_opened(r, node);
}

static int fuse_tmpfile(struct request *r, struct node *parent)
{
	const struct fuse_create_in *in = r->in;
	struct node *node = store_create(parent, NULL, S_IFREG | (in->mode & 07777),
					 r->header->uid, r->header->gid);

	return node ? tell_opened(r, node) : -ENOMEM;
}

static int fuse_unlink(struct request *r, struct node *parent)
{
	struct node *node = store_child(parent, r->in);

	if (!node)
		return -ENOENT;
	store_unlink(node);
	return 0;
}

static int fuse_rmdir(struct request *r, struct node *parent)
{
	struct node *node = store_child(parent, r->in);

	if (node && store_next_child(node, 0))
		return -ENOTEMPTY;
	return fuse_unlink(r, parent);
}

/* @names are the one in @from, and the new one in node number @to. */
static int move(struct node *from, const char *names, __u64 to)
{
	const char *new_name = names + strlen(names) + 1;
	struct node *node = store_child(from, names), *parent = store_find(to), *over;

	if (!node || !parent)
		return -ENOENT;
	over = store_child(parent, new_name);
	if (over && over != node)
		store_unlink(over);
	node->parent = parent;
	snprintf(node->name, sizeof(node->name), "%s", new_name);
	return 0;
}

static int fuse_rename(struct request *r, struct node *node)
{
	const struct fuse_rename_in *in = r->in;

	return move(node, (const char *)(in + 1), in->newdir);
}

static int fuse_rename2(struct request *r, struct node *node)
{
	const struct fuse_rename2_in *in = r->in;

	return in->flags ? -EINVAL : move(node, (const char *)(in + 1), in->newdir);
}

/* The number of a node is also its offset in the directory. */
static int fuse_readdir(struct request *r, struct node *parent)
{
	const struct fuse_read_in *in = r->in;
	size_t room = in->size < r->out_max ? in->size : r->out_max;
	struct node *node = store_next_child(parent, in->offset);

	for (; node; node = store_next_child(parent, node->id)) {
		struct fuse_dirent *entry = (void *)((char *)r->out + r->out_len);
		size_t len = strlen(node->name);
		size_t size = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + len);

		if (r->out_len + size > room)
			break;
		memset(entry, 0, size);
		entry->ino = node->id;
		entry->off = node->id;
		entry->namelen = len;
		entry->type = IFTODT(node->mode);
		memcpy(entry->name, node->name, len);
		r->out_len += size;
	}
	return 0;
}

const struct fuse_op fuse_names[] = {
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
	OP(READDIR, WITH(read_in), fuse_readdir),
	{ }
};
