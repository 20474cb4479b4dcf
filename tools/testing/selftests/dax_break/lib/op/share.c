// SPDX-License-Identifier: GPL-2.0
/*
 * What shares blocks between two ranges of the same length, or exchanges them: of two
 * files, or of one. Ranges are given by a file and the byte where they start.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/fs.h>
#include <linux/types.h>
#include <unistd.h>

#include "base/rows.h"
#include "op.h"

/* <xfs/xfs_fs.h> */
struct xfs_exchange_range {
	__s32 file1_fd;
	__u32 pad;
	__u64 file1_offset;
	__u64 file2_offset;
	__u64 length;
	__u64 flags;
};

/* <xfs/xfs_fs.h>; of the stat(2) data in it only these times are looked at. */
struct xfs_swap_extents {
	__s64 version;
	__s64 target;
	__s64 tmp;
	__s64 offset;
	__s64 length;
	char pad[16];
	struct {
		__u64 ino;
		__u16 mode, nlink;
		__u32 uid, gid, rdev;
		__s32 blksize;
		__s64 size;
		struct {
			__s64 tv_sec;
			__s32 tv_nsec;
		} atime, mtime, ctime;
		__s64 blocks;
		char more[40];
	} stat;
};

#define XFS_IOC_EXCHANGE_RANGE	_IOW('X', 129, struct xfs_exchange_range)
#define XFS_IOC_SWAPEXT		_IOWR('X', 109, struct xfs_swap_extents)

static int share_file(int from, off_t start, int to, off_t to_start, off_t len)
{
	return ioctl(to, FICLONE, from) ? -errno : 0;
}

static int share_clone(int from, off_t start, int to, off_t to_start, off_t len)
{
	struct file_clone_range range = {
		.src_fd = from,
		.src_offset = start,
		.src_length = len,
		.dest_offset = to_start,
	};

	return ioctl(to, FICLONERANGE, &range) ? -errno : 0;
}

/* Returns 0 even if the contents differ: a device may have written to a page meanwhile. */
static int share_dedupe(int from, off_t start, int to, off_t to_start, off_t len)
{
	struct file_dedupe_range *range = calloc(1, sizeof(*range) + sizeof(range->info[0]));
	int rc;

	if (!range)
		return -ENOMEM;
	range->src_offset = start;
	range->src_length = len;
	range->dest_count = 1;
	range->info[0].dest_fd = to;
	range->info[0].dest_offset = to_start;
	rc = ioctl(from, FIDEDUPERANGE, range) ? -errno : range->info[0].status;
	free(range);
	return rc == FILE_DEDUPE_RANGE_DIFFERS ? 0 : rc;
}

static int share_copy(int from, off_t start, int to, off_t to_start, off_t len)
{
	off_t end = start + len;

	while (start < end) {
		ssize_t n = copy_file_range(from, &start, to, &to_start, end - start, 0);

		if (n <= 0)
			return n ? -errno : -EIO;
	}
	return 0;
}

/* The first of the files that the ioctl takes is the one whose number is given to it. */
static int share_exchange(int one, off_t start, int other, off_t other_start, off_t len)
{
	struct xfs_exchange_range range = {
		.file1_fd = other,
		.file1_offset = other_start,
		.file2_offset = start,
		.length = len,
	};

	if (!ioctl(one, XFS_IOC_EXCHANGE_RANGE, &range))
		return 0;
	/* Before 6.10 there is no such ioctl(2). */
	return errno == ENOTTY ? -EOPNOTSUPP : -errno;
}

/* All of two files, as xfs_fsr does it. */
static int share_swap_extents(int one, off_t start, int other, off_t other_start, off_t len)
{
	struct xfs_swap_extents swap = { .target = one, .tmp = other };
	struct stat st;

	if (fstat(one, &st))
		return -errno;
	swap.length = st.st_size;
	swap.stat.ino = st.st_ino;
	swap.stat.size = st.st_size;
	swap.stat.mtime.tv_sec = st.st_mtim.tv_sec;
	swap.stat.mtime.tv_nsec = st.st_mtim.tv_nsec;
	swap.stat.ctime.tv_sec = st.st_ctim.tv_sec;
	swap.stat.ctime.tv_nsec = st.st_ctim.tv_nsec;
	return ioctl(one, XFS_IOC_SWAPEXT, &swap) ? -errno : 0;
}

/* The second range is one of the peer, or the one right behind the first. */
static int from_run(const struct op *op, const struct op_target *t)
{
	return op->share(t->fd, t->start, t->peer, t->start, t->len);
}

static int to_run(const struct op *op, const struct op_target *t)
{
	return op->share(t->peer, t->start, t->fd, t->start, t->len);
}

static int within_run(const struct op *op, const struct op_target *t)
{
	return op->share(t->fd, t->start, t->fd, t->start + t->len, t->len);
}

static void gives(struct image *file, off_t start, struct image *peer, off_t at, off_t len)
{
	image_share(peer, at, file, start, len);
}

static void gives_if_equal(struct image *file, off_t start, struct image *peer, off_t at,
			   off_t len)
{
	if (image_equal(file, start, peer, at, len))
		image_share(peer, at, file, start, len);
}

ROW(ops, struct op, clone_from) = {
	.name = "clone_from",
	.needs = FS_REFLINK,
	.reach = OP_WHOLE,
	.flags = OP_PEER,
	.run = from_run,
	.share = share_file,
	.result = gives,
};

ROW(ops, struct op, clone_to) = {
	.name = "clone_to",
	.needs = FS_REFLINK,
	.reach = OP_WHOLE,
	.flags = OP_PEER | OP_FREES | OP_MEETS_SHARED,
	.run = to_run,
	.share = share_file,
	.result = image_share,
};

ROW(ops, struct op, clone_range_from) = {
	.name = "clone_range_from",
	.needs = FS_REFLINK,
	.flags = OP_PEER,
	.run = from_run,
	.share = share_clone,
	.result = gives,
};

ROW(ops, struct op, clone_range_to) = {
	.name = "clone_range_to",
	.needs = FS_REFLINK,
	.flags = OP_PEER | OP_FREES,
	.run = to_run,
	.share = share_clone,
	.result = image_share,
};

ROW(ops, struct op, dedupe_from) = {
	.name = "dedupe_from",
	.needs = FS_REFLINK,
	.flags = OP_PEER | OP_EQUAL | OP_STATUS,
	.run = from_run,
	.share = share_dedupe,
	.result = gives_if_equal,
};

ROW(ops, struct op, dedupe_to) = {
	.name = "dedupe_to",
	.needs = FS_REFLINK,
	.flags = OP_PEER | OP_EQUAL | OP_STATUS,
	.run = to_run,
	.share = share_dedupe,
	.result = gives_if_equal,
};

ROW(ops, struct op, copy_from) = {
	.name = "copy_from",
	.needs = FS_REFLINK,
	.flags = OP_PEER | OP_FALLS_BACK,
	.run = from_run,
	.share = share_copy,
	.result = gives,
};

ROW(ops, struct op, copy_to) = {
	.name = "copy_to",
	.needs = FS_REFLINK,
	.flags = OP_PEER | OP_FALLS_BACK | OP_FREES,
	.run = to_run,
	.share = share_copy,
	.result = image_share,
};

ROW(ops, struct op, exchange) = {
	.name = "exchange",
	.needs = FS_EXCHANGE,
	.flags = OP_PEER | OP_EXCHANGES,
	.run = from_run,
	.share = share_exchange,
	.result = image_swap,
};

ROW(ops, struct op, exchange_plain) = {
	.name = "exchange_plain",
	.needs = FS_EXCHANGE,
	.flags = OP_RARE | OP_PEER | OP_PEER_PLAIN | OP_EXCHANGES,
	.run = from_run,
	.share = share_exchange,
	.result = image_swap,
};

ROW(ops, struct op, swap_extents) = {
	.name = "swap_extents",
	.needs = FS_SWAP_EXTENTS,
	.reach = OP_WHOLE,
	.flags = OP_RARE | OP_PEER | OP_EXCHANGES,
	.run = from_run,
	.share = share_swap_extents,
	.result = image_swap,
};

ROW(ops, struct op, clone_within) = {
	.name = "clone_within",
	.needs = FS_REFLINK,
	.flags = OP_WITHIN,
	.run = within_run,
	.share = share_clone,
	.result = gives,
};

ROW(ops, struct op, dedupe_within) = {
	.name = "dedupe_within",
	.needs = FS_REFLINK,
	.flags = OP_WITHIN | OP_EQUAL | OP_STATUS,
	.run = within_run,
	.share = share_dedupe,
	.result = gives_if_equal,
};

ROW(ops, struct op, copy_within) = {
	.name = "copy_within",
	.needs = FS_REFLINK,
	.flags = OP_WITHIN | OP_FALLS_BACK,
	.run = within_run,
	.share = share_copy,
	.result = gives,
};

ROW(ops, struct op, exchange_within) = {
	.name = "exchange_within",
	.needs = FS_EXCHANGE,
	.flags = OP_WITHIN | OP_EXCHANGES,
	.run = within_run,
	.share = share_exchange,
	.result = image_swap,
};
