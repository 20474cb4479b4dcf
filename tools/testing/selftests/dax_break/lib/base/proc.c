// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/proc.h"

/* In the flags of /proc/PID/stat: include/linux/sched.h. */
#define PF_EXITING	0x4

void proc_text(char *text, size_t size, const char *path, ...)
{
	char whole[512];
	ssize_t n = -1;
	va_list ap;
	int fd;

	va_start(ap, path);
	vsnprintf(whole, sizeof(whole), path, ap);
	va_end(ap);
	fd = open(whole, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, size - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
}

void proc_read(pid_t pid, const char *name, char *text, size_t size)
{
	proc_text(text, size, "/proc/%d/%s", pid, name);
}

struct proc_task proc_task(pid_t pid)
{
	struct proc_task task = { .state = '?' };
	unsigned long utime, stime;
	char buf[4096], *field;

	proc_read(pid, "stat", buf, sizeof(buf));
	field = strrchr(buf, ')');	/* the name before it may contain anything */
	if (field && sscanf(field, ") %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %lu %lu",
			    &task.state, &task.flags, &utime, &stime) == 4)
		task.ticks = utime + stime;
	return task;
}

/* Has SIGKILL been sent to the task, whose /proc/PID/status is @status? */
static bool is_killed(const char *status)
{
	const char *line = strstr(status, "\nSigPnd:");
	unsigned long long own = 0, shared = 0;

	if (!line || sscanf(line, "\nSigPnd: %llx ShdPnd: %llx", &own, &shared) != 2)
		return false;
	return (own | shared) & 1ULL << (SIGKILL - 1);
}

bool proc_stuck(pid_t pid, const char *patient)
{
	char text[4096];

	proc_read(pid, "status", text, sizeof(text));
	if (!is_killed(text) || proc_task(pid).state != 'D')
		return false;
	proc_read(pid, "wchan", text, sizeof(text));
	return strcmp(text, patient);
}

bool proc_doomed(pid_t pid)
{
	char text[4096];

	if (kill(pid, 0) && errno == ESRCH)
		return true;
	proc_read(pid, "status", text, sizeof(text));
	return is_killed(text) || strstr(text, "\nCoreDumping:\t1") ||
	       proc_task(pid).flags & PF_EXITING;
}

struct proc_pace proc_pace(pid_t pid)
{
	struct proc_pace pace = { .state = '?' };
	char buf[4096], *field;

	proc_read(pid, "status", buf, sizeof(buf));
	field = strstr(buf, "\nState:\t");
	if (field)
		pace.state = field[strlen("\nState:\t")];
	field = strstr(buf, "\nvoluntary_ctxt_switches:");
	if (field)
		pace.switches = strtoul(strchr(field, ':') + 1, NULL, 10);
	return pace;
}

unsigned int proc_runnable(void)
{
	unsigned int runnable;
	char text[128];

	/* The load averages, runnable tasks of all tasks, and more: "0.20 0.18 0.12 1/80 112" */
	proc_text(text, sizeof(text), "/proc/loadavg");
	return sscanf(text, "%*s %*s %*s %u/", &runnable) == 1 ? runnable : 0;
}
