// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dax_flag.h"
#include "op/run.h"

int unlink_run(const struct op_target *t)
{
	return unlink(t->path) || close(t->fd) ? -errno : 0;
}

int rename_over_run(const struct op_target *t)
{
	return rename(t->peer_path, t->path) || close(t->fd) ? -errno : 0;
}

int umount_run(const struct op_target *t)
{
	return close(t->fd) || umount(t->mount) ? -errno : 0;
}

/*
 * The flag takes effect when the inode is read in again: it goes with the last close, if
 * the filesystem knows by then that it should; FUSE has to ask for that.
 */
int dax_off_run(const struct op_target *t)
{
	int rc = dax_flag_set(t->fd, false);
	struct statx stx;

	statx(t->fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &stx);
	return rc ?: close(t->fd) ? -errno : 0;
}
