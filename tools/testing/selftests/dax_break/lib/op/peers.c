// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <unistd.h>

#include "op/run.h"
#include "op/share.h"

int clone_from_run(const struct op_target *t)
{
	return ioctl(t->peer, FICLONE, t->fd) ? -errno : 0;
}

int clone_to_run(const struct op_target *t)
{
	return ioctl(t->fd, FICLONE, t->peer) ? -errno : 0;
}

int clone_range_from_run(const struct op_target *t)
{
	return share_clone(t->fd, t->start, t->peer, t->start, t->len);
}

int clone_range_to_run(const struct op_target *t)
{
	return share_clone(t->peer, t->start, t->fd, t->start, t->len);
}

int dedupe_from_run(const struct op_target *t)
{
	return share_dedupe(t->fd, t->start, t->peer, t->start, t->len);
}

int dedupe_to_run(const struct op_target *t)
{
	return share_dedupe(t->peer, t->start, t->fd, t->start, t->len);
}

int copy_from_run(const struct op_target *t)
{
	return share_copy(t->fd, t->start, t->peer, t->start, t->len);
}

int copy_to_run(const struct op_target *t)
{
	return share_copy(t->peer, t->start, t->fd, t->start, t->len);
}

int exchange_run(const struct op_target *t)
{
	return share_exchange(t->fd, t->start, t->peer, t->start, t->len);
}

int swap_extents_run(const struct op_target *t)
{
	return share_swap_extents(t->fd, t->peer);
}
