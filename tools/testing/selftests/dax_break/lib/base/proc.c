// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc.h"

void proc_read(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, size - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
}

struct proc_task proc_task(pid_t pid)
{
	struct proc_task task = { .state = '?' };
	unsigned long utime, stime;
	char buf[4096], *field;

	proc_read(pid, "stat", buf, sizeof(buf));
	field = strrchr(buf, ')');	/* the name before it may hold anything */
	if (field && sscanf(field, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			    &task.state, &utime, &stime) == 3)
		task.ticks = utime + stime;
	return task;
}

bool proc_stuck(pid_t pid)
{
	unsigned long long own = 0, shared = 0;
	char text[4096], *line;

	proc_read(pid, "status", text, sizeof(text));
	line = strstr(text, "\nSigPnd:");
	if (!line || sscanf(line, "\nSigPnd: %llx ShdPnd: %llx", &own, &shared) != 2)
		return false;
	if (!((own | shared) & 1ULL << (SIGKILL - 1)) || proc_task(pid).state != 'D')
		return false;
	/* fs/fuse/dev.c: its server is alive, and may be slow. */
	proc_read(pid, "wchan", text, sizeof(text));
	return strcmp(text, "request_wait_answer");
}

unsigned long proc_switches(pid_t pid)
{
	char buf[4096], *field;

	proc_read(pid, "status", buf, sizeof(buf));
	field = strstr(buf, "\nvoluntary_ctxt_switches:");
	return field ? strtoul(strchr(field, ':') + 1, NULL, 10) : 0;
}
