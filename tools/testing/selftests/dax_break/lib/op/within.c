// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <sys/ioctl.h>
#include <linux/types.h>

#include "op/run.h"
#include "op/share.h"

/* <fs/ext4/ext4.h> */
#define EXT4_IOC_SWAP_BOOT	_IO('f', 17)

int clone_within_run(const struct op_target *t)
{
	return share_clone(t->fd, t->start, t->fd, t->start + t->len, t->len);
}

int dedupe_within_run(const struct op_target *t)
{
	return share_dedupe(t->fd, t->start, t->fd, t->start + t->len, t->len);
}

int copy_within_run(const struct op_target *t)
{
	return share_copy(t->fd, t->start, t->fd, t->start + t->len, t->len);
}

int exchange_within_run(const struct op_target *t)
{
	return share_exchange(t->fd, t->start, t->fd, t->start + t->len, t->len);
}

/* With the boot loader's inode, and back: what that holds is none of ours. */
int swap_boot_run(const struct op_target *t)
{
	return ioctl(t->fd, EXT4_IOC_SWAP_BOOT) || ioctl(t->fd, EXT4_IOC_SWAP_BOOT) ? -errno : 0;
}
