/* SPDX-License-Identifier: GPL-2.0 */
#ifndef DAX_BREAK_PROC_H
#define DAX_BREAK_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Reads /proc/@pid/@name, @size - 1 bytes at most, as a string; "" if that fails. */
void proc_read(pid_t pid, const char *name, char *text, size_t size);

/* A task at one moment, from /proc/PID/stat. */
struct proc_task {
	char state;			/* '?': there is no such task */
	unsigned long ticks;		/* user + system CPU time, in clock ticks */
};

struct proc_task proc_task(pid_t pid);

/*
 * Has SIGKILL been sent to it, and is it in uninterruptible sleep? For a moment it may
 * well be; but an eviction that nobody wakes sleeps on whatever we do, so what is like
 * that for PROC_STUCK_MS is not worth waiting for.
 */
bool proc_stuck(pid_t pid);
#define PROC_STUCK_MS	100

/* How often it has gone to sleep: its voluntary context switches. */
unsigned long proc_switches(pid_t pid);

#endif
