// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <linux/types.h>
#include <unistd.h>

#include "op_run.h"

/* <xfs/xfs_fs.h> */
struct xfs_exchange_range {
	__s32 file1_fd;
	__u32 pad;
	__u64 file1_offset;
	__u64 file2_offset;
	__u64 length;
	__u64 flags;
};

#define XFS_IOC_EXCHANGE_RANGE	_IOW('X', 129, struct xfs_exchange_range)

int clone_from_run(const struct op_target *t)
{
	return ioctl(t->peer, FICLONE, t->fd) ? -errno : 0;
}

int clone_to_run(const struct op_target *t)
{
	return ioctl(t->fd, FICLONE, t->peer) ? -errno : 0;
}

static int clone_range(const struct op_target *t, int from, int to)
{
	struct file_clone_range range = {
		.src_fd = from,
		.src_offset = t->start,
		.src_length = t->len,
		.dest_offset = t->start,
	};

	return ioctl(to, FICLONERANGE, &range) ? -errno : 0;
}

int clone_range_from_run(const struct op_target *t)
{
	return clone_range(t, t->fd, t->peer);
}

int clone_range_to_run(const struct op_target *t)
{
	return clone_range(t, t->peer, t->fd);
}

/* That the contents differ is no error: pages that a device wrote to late do. */
static int dedupe(const struct op_target *t, int from, int to)
{
	struct file_dedupe_range *range = calloc(1, sizeof(*range) + sizeof(range->info[0]));
	int rc;

	if (!range)
		return -ENOMEM;
	range->src_offset = t->start;
	range->src_length = t->len;
	range->dest_count = 1;
	range->info[0].dest_fd = to;
	range->info[0].dest_offset = t->start;
	rc = ioctl(from, FIDEDUPERANGE, range) ? -errno : range->info[0].status;
	free(range);
	return rc == FILE_DEDUPE_RANGE_DIFFERS ? 0 : rc;
}

int dedupe_from_run(const struct op_target *t)
{
	return dedupe(t, t->fd, t->peer);
}

int dedupe_to_run(const struct op_target *t)
{
	return dedupe(t, t->peer, t->fd);
}

static int copy(const struct op_target *t, int from, int to)
{
	off_t in = t->start, out = t->start, end = t->start + t->len;

	while (in < end) {
		ssize_t n = copy_file_range(from, &in, to, &out, end - in, 0);

		if (n <= 0)
			return n ? -errno : -EIO;
	}
	return 0;
}

int copy_from_run(const struct op_target *t)
{
	return copy(t, t->fd, t->peer);
}

int copy_to_run(const struct op_target *t)
{
	return copy(t, t->peer, t->fd);
}

int exchange_run(const struct op_target *t)
{
	struct xfs_exchange_range range = {
		.file1_fd = t->peer,
		.file1_offset = t->start,
		.file2_offset = t->start,
		.length = t->len,
	};

	if (!ioctl(t->fd, XFS_IOC_EXCHANGE_RANGE, &range))
		return 0;
	/* Before 6.10 there is no such ioctl(2). */
	return errno == ENOTTY ? -EOPNOTSUPP : -errno;
}
