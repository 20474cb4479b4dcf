// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include "finding.h"
#include "quiet.h"

/*
 * A record that contains one of these is a complaint. Not every error is: the gate also
 * fails requests on purpose, which are I/O errors.
 */
static const char *const complaints[] = {
	/* kernel/panic.c, lib/bug.c, arch fault handlers */
	"WARNING: ", "BUG: ", "kernel BUG at ", "Oops: ", "general protection fault",
	"Unable to handle kernel",
	/* mm */
	"Bad page ", "Bad rss-counter ",
	/* kernel/hung_task.c, kernel/rcu */
	"INFO: task ", " detected stalls", "self-detected stall",
	/* kernel/locking/lockdep.c */
	"possible circular locking", "possible recursive locking", "inconsistent lock state",
	"lock held when returning to user space", "suspicious RCU usage",
	/* sanitizers */
	"KASAN: ", "UBSAN: ", "KCSAN: ",
	/* the filesystems */
	"EXT4-fs error", "Internal error", "Metadata corruption", "Corruption of in-memory",
	"Assertion failed", "Shutting down filesystem", "Filesystem has been shut down",
};

static int log_fd = -1;
/* How many WARNs there were at the last look, whichever process took it. */
static unsigned long *known_warnings;

/* How many WARNs there have been; 0 where the kernel does not count them (sysfs, Linux 6.1). */
static unsigned long count_warnings(void)
{
	FILE *f = fopen("/sys/kernel/warn_count", "re");
	unsigned long count = 0;

	if (f && fscanf(f, "%lx", &count) != 1)
		count = 0;
	if (f)
		fclose(f);
	return count;
}

/* Arms WARN_ON_ONCE(). Without debugfs only the first WARN of each kind is seen. */
static void arm(void)
{
	int fd = open("/sys/kernel/debug/clear_warn_once", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "1", 1) != 1)
		fprintf(stderr, "# WARN_ON_ONCE() stays silent: %s\n", strerror(errno));
	close(fd);
}

int quiet_begin(void)
{
	log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log_fd < 0)
		return why_set(errno, "P9 is not checked: /dev/kmsg cannot be read (%s)",
			       strerror(errno));
	known_warnings = mmap(NULL, sizeof(*known_warnings), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (known_warnings == MAP_FAILED)
		return why_set(ENOMEM, "no memory to count warnings in");
	lseek(log_fd, 0, SEEK_END);
	*known_warnings = count_warnings();
	arm();
	return 0;
}

/*
 * Copies the text of the next record, without the prefix ("LEVEL,SEQUENCE,TIME,FLAGS;") and
 * without the lines that follow it. False: there is no other record.
 */
static bool next_record(char *text, size_t size)
{
	char record[8192], *start;
	ssize_t n;

	do {
		n = read(log_fd, record, sizeof(record) - 1);
	} while (n < 0 && (errno == EPIPE || errno == EINTR));	/* EPIPE: some are lost */
	if (n <= 0)
		return false;
	record[n] = '\0';
	start = strchr(record, ';');
	start = start ? start + 1 : record;
	snprintf(text, size, "%.*s", (int)strcspn(start, "\n"), start);
	return true;
}

static bool is_complaint(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(complaints); i++)
		if (strstr(text, complaints[i]))
			return true;
	return false;
}

int quiet_check(void)
{
	char text[400], first[400] = "";
	unsigned long known, count;

	if (log_fd < 0)
		return 0;
	while (next_record(text, sizeof(text)))
		if (!first[0] && is_complaint(text))
			snprintf(first, sizeof(first), "%s", text);
	known = *known_warnings;
	count = count_warnings();
	*known_warnings = count;
	/* The log is a ring: it may have lost the complaint. */
	if (!first[0] && count != known)
		snprintf(first, sizeof(first), "%lu WARNs (warn_count), lost from its log",
			 count - known);
	if (!first[0])
		return 0;
	arm();
	return why_set(EIO, "the kernel says: %s", first);
}
