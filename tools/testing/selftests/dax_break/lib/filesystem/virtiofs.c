// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/rows.h"
#include "filesystem.h"
#include "finding.h"
#include "virtiofs.h"
#include "../../virtiofs/protocol.h"

int virtiofs_order(const char *mount, int *fd, const char *fmt, ...)
{
	char order[64], path[256];
	va_list ap;
	int len;

	snprintf(path, sizeof(path), "%s/" VIRTIOFS_CONTROL, mount);
	if (*fd < 0)
		*fd = open(path, O_RDWR | O_CLOEXEC);
	if (*fd < 0)
		return why_set(EOPNOTSUPP,
			       "this virtiofs has not the tests' own server (%s: %s): run_tests.sh has",
			       path, strerror(errno));
	va_start(ap, fmt);
	len = vsnprintf(order, sizeof(order), fmt, ap);
	va_end(ap);
	if (write(*fd, order, len) != len)
		return why_set(errno, "the server of virtiofs does not take the order \"%s\": %s",
			       order, strerror(errno));
	return 0;
}

struct virtiofs_state virtiofs_state(int fd)
{
	struct virtiofs_state state = { 0 };
	char text[64] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) > 0)
		sscanf(text, VIRTIOFS_STATE, &state.held, &state.ranges);
	return state;
}

int virtiofs_complaint(const char *mount)
{
	char path[256], text[4096];
	ssize_t len = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/" VIRTIOFS_COMPLAINTS, mount);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		len = read(fd, text, sizeof(text) - 1);
	if (len < 0 || ftruncate(fd, 0)) {
		len = -1;
		why_set(errno, "no complaints to be had from %s: %s", path, strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	if (len <= 0)
		return len ? -EIO : 0;
	text[len] = '\0';
	return why_set(EIO, "the server of virtiofs complains: %.*s", (int)strcspn(text, "\n"),
		       text);
}

static int empty(const char *mount)
{
	int fd = -1, rc = virtiofs_order(mount, &fd, "empty");

	if (fd >= 0)
		close(fd);
	return rc;
}

/* Calls @what while @tag is mounted, at a directory that is removed afterwards. */
static int visit(const char *tag, int (*what)(const char *mount))
{
	char dir[] = "/tmp/dax_break.virtiofs.XXXXXX";
	int rc;

	if (!mkdtemp(dir))
		return why_set(errno, "cannot create %s: %s", dir, strerror(errno));
	if (mount(tag, dir, "virtiofs", 0, "dax=inode")) {
		rc = why_set(errno == ENODEV || errno == EINVAL ? EOPNOTSUPP : errno,
			     "cannot mount virtiofs %s: %s", tag, strerror(errno));
	} else {
		rc = what(dir);
		if (umount(dir))
			rc = why_set(errno, "cannot unmount %s: %s", dir, strerror(errno));
	}
	rmdir(dir);
	return rc;
}

/* Removes all files. -EOPNOTSUPP: another server, or no such device. */
static int virtiofs_format(const char *tag)
{
	return visit(tag, empty);
}

/* -EIO: the server complains; it makes no complaint twice. */
static int virtiofs_check(const char *tag)
{
	return visit(tag, virtiofs_complaint);
}

ROW(filesystems, struct filesystem, virtiofs) = {
	.name = "virtiofs",
	.features = FS_SERVED | FS_MIXED_MAP | FS_FSYNC_LOCKS,
	.source_env = "DAX_BREAK_VIRTIOFS",
	.format = virtiofs_format,
	.check = virtiofs_check,
	.config = "CONFIG_VIRTIO_FS",
	.dax_config = "CONFIG_FUSE_DAX",
};
