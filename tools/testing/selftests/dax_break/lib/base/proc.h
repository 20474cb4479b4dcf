/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Proc: what /proc tells about a task at one moment (fs/proc/array.c: do_task_stat(),
 * proc_pid_status()). Nothing here waits, and there are no errors: a task that is gone
 * reads as if it had done nothing.
 */
#ifndef DAX_BREAK_BASE_PROC_H
#define DAX_BREAK_BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "finding.h"

/*
 * Reads the file @path, a format, of /proc or /sys into @text as a string, up to @size - 1
 * bytes of it; "" if that fails.
 */
void __printf(3, 4) proc_text(char *text, size_t size, const char *path, ...);

/* The same for /proc/@pid/@name. */
void proc_read(pid_t pid, const char *name, char *text, size_t size);

/* From /proc/PID/stat. */
struct proc_task {
	char state;			/* '?': there is no such task */
	unsigned int flags;		/* PF_* of include/linux/sched.h */
	unsigned long ticks;		/* CPU time, user and system, in clock ticks */
};

struct proc_task proc_task(pid_t pid);

/*
 * Is the task in uninterruptible sleep although SIGKILL has been sent to it? That is normal
 * for a moment. But an eviction that nothing wakes sleeps on whatever we do, so a task that
 * has been stuck for PROC_STUCK_MS is not worth waiting for. A sleep in the kernel function
 * @patient does not count: it waits for a process, which is alive and may be slow.
 */
bool proc_stuck(pid_t pid, const char *patient);
#define PROC_STUCK_MS	100

/*
 * Is @pid dead or dying? A process whose death waits for I/O closes no file and sends no
 * signal before that ends. By then its main thread is one of
 *  - in an uninterruptible wait for a page, with the SIGKILL pending;
 *  - about to dump core, once a thread that is in pread() has stopped;
 *  - in exit_aio(), waiting for what it has submitted.
 */
bool proc_doomed(pid_t pid);

/* From /proc/PID/status. */
struct proc_pace {
	char state;			/* '?': there is no such task */
	/* How often it has gone to sleep: its voluntary context switches. */
	unsigned long switches;
};

struct proc_pace proc_pace(pid_t pid);

static inline bool proc_asleep(char state)
{
	return state == 'S' || state == 'D';
}

/*
 * How many tasks of the whole machine, the kernel's among them, run or are ready to, the
 * caller included. 0: the kernel does not tell.
 */
unsigned int proc_runnable(void);

#endif
