// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <sys/ioctl.h>
#include <linux/fs.h>

#include "dax_file.h"

int dax_flag_set(int fd, bool on)
{
	struct fsxattr attr;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &attr))
		return -errno;
	attr.fsx_xflags &= ~FS_XFLAG_DAX;
	if (on)
		attr.fsx_xflags |= FS_XFLAG_DAX;
	return ioctl(fd, FS_IOC_FSSETXATTR, &attr) ? -errno : 0;
}
