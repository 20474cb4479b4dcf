// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/types.h>

#include "deadline.h"
#include "finding.h"
#include "longterm/pinned.h"

/* The most that pinned() looks at. */
#define MAX_PAGES	16

long pinned_charge(void)
{
	char line[128];
	long kb = -1;
	FILE *status = fopen("/proc/self/status", "re");

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "VmPin: %ld", &kb) == 1)
			break;
	if (status)
		fclose(status);
	return kb;
}

/*
 * Reads which page frames the calling process has at @addr, @len bytes; false if that
 * cannot be read, or a page is not present.
 */
static bool read_frames(const char *addr, size_t len, __u64 *frames)
{
	size_t page_size = sysconf(_SC_PAGESIZE);
	size_t bytes = len / page_size * sizeof(*frames);
	off_t start = (uintptr_t)addr / page_size * sizeof(*frames);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	bool all;

	if (fd < 0)
		return false;
	all = pread(fd, frames, bytes, start) == (ssize_t)bytes;
	close(fd);
	for (size_t i = 0; all && i < len / page_size; i++) {
		frames[i] &= (1ULL << 55) - 1;
		all = frames[i];
	}
	return all;
}

int pinned(const char *addr, size_t len)
{
	enum { SHARED, COPIED, UNKNOWN };
	size_t bytes = len / sysconf(_SC_PAGESIZE) * sizeof(__u64);
	__u64 ours[MAX_PAGES], theirs[MAX_PAGES];
	int status;
	pid_t pid;

	if (bytes > sizeof(ours))
		return why_set(EINVAL, "%zu bytes are too many to look at", len);
	if (!read_frames(addr, len, ours))
		return why_set(EPERM, "cannot read page frames in /proc/self/pagemap: needs root");
	pid = fork();
	if (pid < 0)
		return why_set(errno, "cannot fork: %s", strerror(errno));
	if (!pid) {
		if (!read_frames(addr, len, theirs))
			_exit(UNKNOWN);
		_exit(memcmp(ours, theirs, bytes) ? COPIED : SHARED);
	}
	if (!deadline_wait_child(pid, DEADLINE_MS, &status))
		return why_set(ETIMEDOUT, "a child that reads its pagemap does not end");
	if (!WIFEXITED(status) || WEXITSTATUS(status) == UNKNOWN)
		return why_set(EIO, "a child cannot read its pagemap");
	return WEXITSTATUS(status) == COPIED;
}

int pinned_check_none(const char *addr, size_t len)
{
	long deadline = deadline_in(DEADLINE_MS);
	int rc;

	if (!len)
		return 0;
	while ((rc = pinned(addr, len)) > 0) {
		if (deadline_over(deadline))
			return why_set(EIO, "anonymous memory that was asked for stays pinned");
		deadline_pause();
	}
	return rc;
}

int pinned_check_charge(long before)
{
	long deadline = deadline_in(DEADLINE_MS);
	long now;

	while ((now = pinned_charge()) != before) {
		if (deadline_over(deadline))
			return why_set(EIO, "VmPin is %ld kB, and was %ld kB before", now, before);
		deadline_pause();
	}
	return 0;
}
