// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "stray.h"

static void written(struct stray *stray, int fd, off_t at)
{
	unsigned char found[8];
	ssize_t n = pread(fd, found, sizeof(found), at);

	stray->written = true;
	stray->at = at;
	for (ssize_t i = 0; i < n; i++)
		sprintf(stray->bytes + 3 * i, " %02x", found[i]);
}

bool stray_find(int fd, off_t start, off_t end, struct stray *stray)
{
	unsigned char buf[4096];
	ssize_t n;

	*stray = (struct stray){ .at = -1 };
	for (off_t at = start; at < end; at += n) {
		at = lseek(fd, at, SEEK_DATA);
		if (at < 0 || at >= end)
			break;
		if (stray->at < 0)
			stray->at = at;
		n = pread(fd, buf, sizeof(buf), at);
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n && at + i < end; i++) {
			if (buf[i]) {
				written(stray, fd, at + i);
				return true;
			}
		}
	}
	return stray->at >= 0;
}

void stray_remove(int fd, off_t start, off_t end)
{
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, end - start))
		note("cannot remove what was found: %s", strerror(errno));
}
