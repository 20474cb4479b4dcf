// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/falloc.h>
#include <linux/fs.h>

#include "fuse.h"
#include "window.h"

static bool keep_cache = true;

void fuse_keep_cache(bool keep)
{
	keep_cache = keep;
}

/* Makes the file @size bytes long. A special one can only be emptied, if that. */
static int resize(struct node *node, __u64 size)
{
	if (!node->special)
		return store_resize(node, size);
	if (node->special->truncate)
		node->special->truncate();
	return 0;
}

static int fuse_getattr(struct request *r, struct node *node)
{
	struct fuse_attr_out *out = REPLY_WITH(r, struct fuse_attr_out);

	out->attr_valid = VALID;
	store_attr(node, &out->attr);
	return 0;
}

static int fuse_setattr(struct request *r, struct node *node)
{
	const struct fuse_setattr_in *in = r->in;
	int rc = 0;

	if (in->valid & FATTR_SIZE)
		rc = resize(node, in->size);
	if (in->valid & FATTR_MODE)
		node->mode = (node->mode & S_IFMT) | (in->mode & 07777);
	if (in->valid & FATTR_UID)
		node->uid = in->uid;
	if (in->valid & FATTR_GID)
		node->gid = in->gid;
	if (in->valid & FATTR_MTIME)
		node->changed = (struct timespec){ in->mtime, in->mtimensec };
	return rc ?: fuse_getattr(r, node);
}

void fuse_opened(struct fuse_open_out *out, struct node *node)
{
	node->opens++;
	out->fh = node->id;
	/* Without FOPEN_KEEP_CACHE the guest drops what it has cached of the file. */
	out->open_flags = node->special ? FOPEN_DIRECT_IO :
			  keep_cache ? FOPEN_KEEP_CACHE : 0;
}

static int fuse_opendir(struct request *r, struct node *node)
{
	fuse_opened(REPLY_WITH(r, struct fuse_open_out), node);
	return 0;
}

static int fuse_open(struct request *r, struct node *node)
{
	const struct fuse_open_in *in = r->in;
	int rc = 0;

	if (in->flags & O_TRUNC)
		rc = resize(node, 0);
	return rc ?: fuse_opendir(r, node);
}

static int fuse_release(struct request *r, struct node *node)
{
	if (!node->opens)
		return -EBADF;
	if (!--node->opens && node->special && node->special->closed)
		node->special->closed();
	store_put(node);
	return 0;
}

static int read_special(struct request *r, const struct special *special, __u64 offset,
			size_t len)
{
	const char *text = special->text();

	if (offset < strlen(text)) {
		r->out_len = strnlen(text + offset, len);
		memcpy(r->out, text + offset, r->out_len);
	}
	return 0;
}

static int fuse_read(struct request *r, struct node *node)
{
	const struct fuse_read_in *in = r->in;
	size_t len = in->size < r->out_max ? in->size : r->out_max;
	ssize_t n;

	if (node->special)
		return read_special(r, node->special, in->offset, len);
	if (in->offset >= node->size)
		return 0;
	if (len > node->size - in->offset)
		len = node->size - in->offset;
	n = pread(node->fd, r->out, len, in->offset);
	r->out_len = n > 0 ? n : 0;
	return n < 0 ? -errno : 0;
}

/* Returns how much was written, or a negative errno. */
static ssize_t write_file(struct node *node, const void *from, size_t len, __u64 offset)
{
	int rc = offset + len > node->size ? store_resize(node, offset + len) : 0;
	ssize_t n = rc ?: pwrite(node->fd, from, len, offset);

	return n < 0 && !rc ? -errno : n;
}

static ssize_t write_special(const struct special *special, const char *text, size_t len)
{
	int rc = special->write ? special->write(text, len) : -EINVAL;

	return rc ?: (ssize_t)len;
}

static int fuse_write(struct request *r, struct node *node)
{
	const struct fuse_write_in *in = r->in;
	ssize_t n;

	if (in->size > r->in_len - sizeof(*in))
		return -EINVAL;
	n = node->special ? write_special(node->special, (const char *)(in + 1), in->size) :
			    write_file(node, in + 1, in->size, in->offset);
	if (n < 0)
		return n;
	REPLY_WITH(r, struct fuse_write_out)->size = n;
	return 0;
}

static int fuse_fallocate(struct request *r, struct node *node)
{
	const struct fuse_fallocate_in *in = r->in;
	__u64 end = in->offset + in->length;
	int rc = 0;

	if (in->mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if (in->mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		rc = store_punch(node, in->offset, in->length);
	if (!rc && !(in->mode & FALLOC_FL_KEEP_SIZE) && end > node->size)
		rc = store_resize(node, end);
	return rc;
}

static int fuse_copy_file_range(struct request *r, struct node *from)
{
	const struct fuse_copy_file_range_in *in = r->in;
	struct node *to = store_find(in->nodeid_out);
	__u64 len = in->len, done = 0;
	static char buf[64 << 10];
	int rc = 0;

	if (!to || from->fd < 0 || to->fd < 0)
		return -EBADF;
	if (in->off_in >= from->size)
		len = 0;
	else if (len > from->size - in->off_in)
		len = from->size - in->off_in;
	if (in->off_out + len > to->size)
		rc = store_resize(to, in->off_out + len);
	while (!rc && done < len) {
		size_t part = len - done < sizeof(buf) ? len - done : sizeof(buf);

		if (pread(from->fd, buf, part, in->off_in + done) != (ssize_t)part ||
		    pwrite(to->fd, buf, part, in->off_out + done) != (ssize_t)part)
			rc = -EIO;
		done += part;
	}
	if (!rc)
		REPLY_WITH(r, struct fuse_write_out)->size = len;
	return rc;
}

/* Gets and sets FS_XFLAG_DAX alone, which makes a file DAX with -o dax=inode. */
static int fuse_ioctl(struct request *r, struct node *node)
{
	const struct fuse_ioctl_in *in = r->in;
	struct {
		struct fuse_ioctl_out out;
		struct fsxattr attr;
	} *reply = fuse_reply(r, sizeof(*reply));

	if (in->cmd == FS_IOC_FSGETXATTR) {
		reply->attr.fsx_xflags = node->dax ? FS_XFLAG_DAX : 0;
		return 0;
	}
	if (in->cmd != FS_IOC_FSSETXATTR || r->in_len < sizeof(*in) + sizeof(struct fsxattr))
		return -ENOTTY;
	node->dax = ((const struct fsxattr *)(in + 1))->fsx_xflags & FS_XFLAG_DAX;
	r->out_len = sizeof(reply->out);
	return 0;
}

static int fuse_setupmapping(struct request *r, struct node *node)
{
	const struct fuse_setupmapping_in *in = r->in;

	if (in->len != RANGE_SIZE || node->fd < 0)
		return -EINVAL;
	return store_reserve(node, in->foffset + in->len) ?:
	       window_map(node->id, node->fd, in->foffset, in->moffset);
}

static int fuse_removemapping(struct request *r, struct node *node)
{
	const struct fuse_removemapping_in *in = r->in;
	const struct fuse_removemapping_one *one = (const void *)(in + 1);
	int rc = 0;

	if (r->in_len < sizeof(*in) + in->count * sizeof(*one))
		return -EINVAL;
	for (__u32 i = 0; !rc && i < in->count; i++)
		rc = window_unmap(one[i].moffset, one[i].len);
	return rc;
}

const struct fuse_op fuse_files[] = {
	OP(GETATTR, 0, fuse_getattr),
	OP(SETATTR, WITH(setattr_in), fuse_setattr),
	OP(OPEN, WITH(open_in), fuse_open),
	OP(OPENDIR, WITH(open_in), fuse_opendir),
	OP(RELEASE, 0, fuse_release),
	OP(RELEASEDIR, 0, fuse_release),
	OP(READ, WITH(read_in), fuse_read),
	OP(WRITE, WITH(write_in), fuse_write),
	OP(FALLOCATE, WITH(fallocate_in), fuse_fallocate),
	OP(COPY_FILE_RANGE, WITH(copy_file_range_in), fuse_copy_file_range),
	OP(IOCTL, WITH(ioctl_in), fuse_ioctl),
	OP(SETUPMAPPING, WITH(setupmapping_in), fuse_setupmapping),
	OP(REMOVEMAPPING, WITH(removemapping_in), fuse_removemapping),
	{ }
};
