// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include <linux/magic.h>

#include "filesystem.h"
#include "virtiofs.h"
#include "why.h"
#include "filesystem/xfs_super.h"

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
		.magic = EXT4_SUPER_MAGIC,
		.config = "CONFIG_EXT4_FS",
		.package = "e2fsprogs",
		.mkfs = { "mkfs.ext4", "-q", "-F", "-b", "%P",
			  "-E", "stride=512,stripe_width=512,nodiscard", NULL },
		.fsck = { "e2fsck", "-f", "-n", NULL },
		.reserve = "/sys/fs/ext4/%D/reserved_clusters",
	},
	{
		.name = "xfs",
		.namespace_size = 320 * MIB,
		.magic = XFS_SUPER_MAGIC,
		.config = "CONFIG_XFS_FS",
		.package = "xfsprogs",
		.mkfs = { "mkfs.xfs", "-q", "-f", "-K", "-b", "size=%P", "-m", "reflink=1",
			  "-d", "agcount=2,su=2m,sw=1", NULL },
		.fsck = { "xfs_repair", "-n", NULL },
		.tune = xfs_allow_exchange,
	},
	{
		.name = "virtiofs",
		.config = "CONFIG_VIRTIO_FS",
		.tag = VIRTIOFS_ENV,
		.format = virtiofs_format,
		.check = virtiofs_check,
		.fsync_locks = true,
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

bool filesystem_on_pmem(const struct filesystem *fs)
{
	return fs->namespace_size;
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

static int mount_once(const struct filesystem *fs, const char *device, const char *dir)
{
	if (!mount(device, dir, fs->name, 0, "dax=inode"))
		return fs->reserve ? keep_no_reserve(fs->reserve, device) : 0;
	if (errno == ENODEV)
		return why_set(EOPNOTSUPP, "this kernel has no %s: %s is needed", fs->name,
			       fs->config);
	return why_set(errno, "cannot mount %s on %s with -o dax=inode: %s", fs->name, device,
		       strerror(errno));
}

int filesystem_mount(const struct filesystem *fs, const char *device, const char *dir)
{
	int rc = fs->tune ? fs->tune(device, true) : 0;

	rc = rc ?: mount_once(fs, device, dir);
	if (rc == -EINVAL && fs->tune)
		rc = fs->tune(device, false) ?: mount_once(fs, device, dir);
	return rc;
}

/* The first line that is no report of progress. */
static const char *complaint(char *said)
{
	static const char *const progress[] = { "e2fsck ", "Pass ", "Phase ", " ", "\t" };

	for (char *line = strtok(said, "\n"); line; line = strtok(NULL, "\n")) {
		size_t i = 0;

		while (i < ARRAY_SIZE(progress) && strncmp(line, progress[i], strlen(progress[i])))
			i++;
		if (i == ARRAY_SIZE(progress))
			return line;
	}
	return "it does not say how";
}

int filesystem_check(const struct filesystem *fs, const char *device)
{
	char said[4096];
	int rc = fs->tune ? fs->tune(device, false) : 0;

	if (fs->check)
		return fs->check(device);
	rc = rc ?: tool_run(fs->fsck, device, fs->package, said, sizeof(said));
	if (rc > 0)
		return why_set(EIO, "%s finds %s damaged (exit status %d): %s", fs->fsck[0], device,
			       rc, complaint(said));
	return rc;
}
