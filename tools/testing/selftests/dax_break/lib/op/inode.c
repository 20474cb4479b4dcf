// SPDX-License-Identifier: GPL-2.0
/* Operations on a whole inode, most of which take it out of memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rows.h"
#include "dax_file.h"
#include "op.h"

/* <fs/ext4/ext4.h> */
#define EXT4_IOC_SWAP_BOOT	_IO('f', 17)

static int unlink_run(const struct op *op, const struct op_target *t)
{
	return unlink(t->path) || close(t->fd) ? -errno : 0;
}

static int rename_over_run(const struct op *op, const struct op_target *t)
{
	return rename(t->peer_path, t->path) || close(t->fd) ? -errno : 0;
}

static int umount_run(const struct op *op, const struct op_target *t)
{
	return close(t->fd) || umount(t->mount) ? -errno : 0;
}

/*
 * The flag takes effect when the inode is read in again: it goes with the last close, if
 * the filesystem knows by then that it should; FUSE has to ask for that.
 */
static int dax_off_run(const struct op *op, const struct op_target *t)
{
	int rc = dax_flag_set(t->fd, false);
	struct statx stx;

	statx(t->fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &stx);
	return rc ?: close(t->fd) ? -errno : 0;
}

/* With the boot loader's inode, and back: what that holds is none of ours. */
static int swap_boot_run(const struct op *op, const struct op_target *t)
{
	return ioctl(t->fd, EXT4_IOC_SWAP_BOOT) || ioctl(t->fd, EXT4_IOC_SWAP_BOOT) ? -errno : 0;
}

static void keeps(struct image *file, off_t start, struct image *peer, off_t at, off_t len)
{
}

ROW(ops, struct op, unlink) = {
	.name = "unlink",
	.reach = OP_WHOLE,
	.flags = OP_EVICTS | OP_FREES | OP_BY_PATH | OP_SAMPLE | OP_MEETS_SHARED,
	.run = unlink_run,
};

ROW(ops, struct op, rename_over) = {
	.name = "rename_over",
	.reach = OP_WHOLE,
	.flags = OP_PEER | OP_EVICTS | OP_FREES | OP_BY_PATH,
	.run = rename_over_run,
};

ROW(ops, struct op, umount) = {
	.name = "umount",
	.reach = OP_WHOLE,
	.flags = OP_EVICTS | OP_UNMOUNTS,
	.run = umount_run,
	.result = keeps,
};

ROW(ops, struct op, dax_off) = {
	.name = "dax_off",
	.reach = OP_WHOLE,
	.flags = OP_EVICTS | OP_ENDS_DAX,
	.run = dax_off_run,
	.result = keeps,
};

ROW(ops, struct op, swap_boot) = {
	.name = "swap_boot",
	.needs = FS_SWAP_BOOT,
	.reach = OP_WHOLE,
	.flags = OP_RARE,
	.run = swap_boot_run,
	.result = keeps,
};
