// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dax_flag.h"
#include "filesystem.h"
#include "memory/persistence.h"
#include "base/tool.h"
#include "why.h"

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

int filesystem_want_dax(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : dax_flag_set(fd, true);

	if (fd >= 0)
		close(fd);
	return rc ? why_set(-rc, "cannot set FS_XFLAG_DAX on %s: %s", dir, strerror(-rc)) : 0;
}

int filesystem_prove_dax(const struct filesystem *fs, const char *dir,
			 const char **granularity)
{
	size_t page_size = sysconf(_SC_PAGESIZE);
	void *zeroes = calloc(1, page_size);
	char path[256];
	struct statx stx;
	int fd, rc;

	snprintf(path, sizeof(path), "%s/prove_dax", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		free(zeroes);
		return why_set(errno, "cannot create %s: %s", path, strerror(errno));
	}
	/* By write(2): truncate and fallocate are under test, and may be broken. */
	if (pwrite(fd, zeroes, page_size, 0) != (ssize_t)page_size ||
	    statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx))
		rc = why_set(EIO, "cannot write %s: %s", path, strerror(errno));
	else if (!(stx.stx_attributes & STATX_ATTR_DAX))
		rc = why_set(EOPNOTSUPP, "files in %s are not DAX: %s is needed", dir,
			     filesystem_on_pmem(fs) ? "CONFIG_FS_DAX" : "CONFIG_FUSE_DAX");
	else if (filesystem_on_pmem(fs))
		rc = persistence_of(fd, granularity);
	else
		rc = 0;
	free(zeroes);
	close(fd);
	unlink(path);
	return rc;
}
