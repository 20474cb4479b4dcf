// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/fs.h>
#include <linux/types.h>
#include <unistd.h>

#include "op/share.h"

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

int share_clone(int from, off_t start, int to, off_t to_start, off_t len)
{
	struct file_clone_range range = {
		.src_fd = from,
		.src_offset = start,
		.src_length = len,
		.dest_offset = to_start,
	};

	return ioctl(to, FICLONERANGE, &range) ? -errno : 0;
}

int share_dedupe(int from, off_t start, int to, off_t to_start, off_t len)
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

int share_copy(int from, off_t start, int to, off_t to_start, off_t len)
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
int share_exchange(int one, off_t start, int other, off_t other_start, off_t len)
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

int share_swap_extents(int one, int other)
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
