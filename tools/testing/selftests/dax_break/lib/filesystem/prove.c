// SPDX-License-Identifier: GPL-2.0
/*
 * Only with_pmem needs this. It is not in make.c, which tests link, because libpmem2 brings
 * eight more libraries with it, whose mappings every fork of a test would copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dax_file.h"
#include "filesystem/make.h"
#include "finding.h"
#include "memory/persistence.h"

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
			     fs->dax_config);
	else if (filesystem_has(fs, FS_PMEM))
		rc = persistence_of(fd, granularity);
	else
		rc = 0;
	free(zeroes);
	close(fd);
	unlink(path);
	return rc;
}
