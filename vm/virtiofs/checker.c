// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checker.h"
#include "log.h"
#include "window.h"

/* More than anybody reads; what does not fit is in the log alone. */
static char complaints[16384];

void complain(const char *fmt, ...)
{
	size_t len = strlen(complaints);
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	note("COMPLAINT %s", line);
	if (len + strlen(line) + 1 < sizeof(complaints))
		sprintf(complaints + len, "%s\n", line);
}

const char *checker_complaints(void)
{
	return complaints;
}

void checker_clear(void)
{
	complaints[0] = '\0';
}

/*
 * Of [start, end) of @fd: the first byte that is not zero, or @end. *@page is the first
 * page that there is at all, or @end: any access makes one.
 */
static off_t first_byte(int fd, off_t start, off_t end, off_t *page)
{
	unsigned char buf[STORE_PAGE];
	off_t at = start;

	*page = end;
	while (at < end) {
		ssize_t n;

		at = lseek(fd, at, SEEK_DATA);
		if (at < 0 || at >= end)
			break;
		if (*page == end)
			*page = at;
		n = pread(fd, buf, sizeof(buf), at);
		for (ssize_t i = 0; i < n; i++)
			if (buf[i] && at + i < end)
				return at + i;
		at += n > 0 ? n : STORE_PAGE;
	}
	return end;
}

static void empty(int fd, off_t start, off_t end)
{
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, end - start))
		note("cannot remove what was found: %s", strerror(errno));
}

/* What was found, for people. */
static const char *bytes_at(int fd, off_t at)
{
	static char text[3 * 8 + 1];
	unsigned char found[8];
	ssize_t n = pread(fd, found, sizeof(found), at);

	text[0] = '\0';
	for (ssize_t i = 0; i < n; i++)
		sprintf(text + 3 * i, " %02x", found[i]);
	return text;
}

void checker_look_beyond_end(struct node *node, const char *when)
{
	off_t start = (node->size + STORE_PAGE - 1) / STORE_PAGE * STORE_PAGE;
	off_t end = node->room, page, at;

	if (start >= end)
		return;
	at = first_byte(node->fd, start, end, &page);
	if (at == end)
		return;
	complain("file %llu (%s) has %llu bytes, but byte %lld was written to%s (seen %s)",
		 (unsigned long long)node->id, node->name, (unsigned long long)node->size,
		 (long long)at, bytes_at(node->fd, at), when);
	empty(node->fd, start, end);
}

void checker_look_at_punched(struct node *node, __u64 start, __u64 len)
{
	off_t end = start + len < node->room ? start + len : node->room, page, at;

	if ((off_t)start >= end)
		return;
	at = first_byte(node->fd, start, end, &page);
	if (at == end)
		return;
	complain("byte %lld of file %llu (%s) was written to%s while it was being punched",
		 (long long)at, (unsigned long long)node->id, node->name,
		 bytes_at(node->fd, at));
}

void checker_look_at_trap(int trap, __u64 at, __u64 node, __u64 offset, const char *when)
{
	off_t page, found = first_byte(trap, at, at + RANGE_SIZE, &page);
	bool written = found < (off_t)(at + RANGE_SIZE);

	if (page == (off_t)(at + RANGE_SIZE))
		return;
	complain("what was byte %llu of file %llu was %s%s after it had been given back (seen %s)",
		 (unsigned long long)(offset + (written ? found : page) - at),
		 (unsigned long long)node, written ? "written to" : "read",
		 written ? bytes_at(trap, found) : "", when);
	empty(trap, at, at + RANGE_SIZE);
}

void checker_look(const char *when)
{
	for (struct node *node = store_next(NULL); node; node = store_next(node))
		if (node->fd >= 0)
			checker_look_beyond_end(node, when);
	window_look(when);
}

/* Ranges may be left: when it unmounts, a guest says nothing of them one by one. */
void checker_look_at_end(void)
{
	for (struct node *node = store_next(NULL); node; node = store_next(node))
		if (node->opens)
			complain("file %llu (%s) is still open, when the guest unmounts",
				 (unsigned long long)node->id, node->name);
	checker_look("when the guest unmounted");
}
