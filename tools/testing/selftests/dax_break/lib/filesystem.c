// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "filesystem.h"
#include "why.h"
#include "xfs_super.h"

#define MIB	(1024 * 1024ULL)

/*
 * As small as mkfs allows (a small filesystem is soon full, and soon made; the log
 * of XFS, at least 64 MiB, must fit into one of its allocation groups).
 * Extents are aligned to 2 MiB where mkfs can do that, so that PMD mappings
 * are possible.
 */
const struct filesystem filesystems[] = {
	{
		.name = "ext4",
		.namespace_size = 256 * MIB,
		.config = "CONFIG_EXT4_FS",
		.package = "e2fsprogs",
		.mkfs = { "mkfs.ext4", "-q", "-F", "-b", "%P",
			  "-E", "stride=512,stripe_width=512,nodiscard", NULL },
		.reserve = "/sys/fs/ext4/%D/reserved_clusters",
	},
	{
		.name = "xfs",
		.namespace_size = 320 * MIB,
		.config = "CONFIG_XFS_FS",
		.package = "xfsprogs",
		.mkfs = { "mkfs.xfs", "-q", "-f", "-K", "-b", "size=%P", "-m", "reflink=1",
			  "-d", "agcount=2,su=2m,sw=1", NULL },
		.tune = xfs_allow_exchange,
	},
	{ .name = NULL },
};

const struct filesystem *filesystem_find(const char *name)
{
	for (const struct filesystem *fs = filesystems; fs->name; fs++)
		if (!strcmp(fs->name, name))
			return fs;
	return NULL;
}

static int keep_no_reserve(const char *pattern, const char *device)
{
	const char *mark = strstr(pattern, "%D"), *name = strrchr(device, '/') + 1;
	char path[128];
	int fd, rc = 0;

	snprintf(path, sizeof(path), "%.*s%s%s", (int)(mark - pattern), pattern, name, mark + 2);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		rc = why_set(errno, "cannot write %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

int filesystem_mount(const struct filesystem *fs, const char *device, const char *dir)
{
	if (!mount(device, dir, fs->name, 0, "dax=inode"))
		return fs->reserve ? keep_no_reserve(fs->reserve, device) : 0;
	if (errno == ENODEV)
		return why_set(EOPNOTSUPP, "this kernel has no %s: %s is needed", fs->name,
			       fs->config);
	return why_set(errno, "cannot mount %s on %s with -o dax=inode: %s", fs->name, device,
		       strerror(errno));
}
