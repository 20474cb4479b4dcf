// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tool.h"
#include "filesystem/make.h"
#include "finding.h"

int filesystem_format(const struct filesystem *fs, const char *device)
{
	char said[256];
	int rc;

	if (fs->format)
		return fs->format(device);
	rc = tool_run(fs->mkfs, device, fs->package, said, sizeof(said));
	/* What it says first is what matters; usage and hints come after. */
	if (rc > 0)
		return why_set(EIO, "%s failed on %s: %.*s", fs->mkfs[0], device,
			       (int)strcspn(said, "\n"), said);
	return rc;
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
