// SPDX-License-Identifier: GPL-2.0
/* Whether a gate's user still is one. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gate/internal.h"
#include "proc.h"

/* In the flags of /proc/PID/stat: include/linux/sched.h. */
#define PF_EXITING	0x4

/*
 * Dead or dying. One whose death waits for a request that we hold gives no sign of it
 * before we let go, be it the end of a file or a signal. Its main thread then is one of
 *  - in an uninterruptible wait for a page: but the kill is pending;
 *  - about to dump core, as soon as the thread that sits in pread() has stopped;
 *  - in exit_aio(), for what it has submitted.
 */
bool gate_user_doomed(pid_t pid)
{
	static const char * const pending[] = { "\nSigPnd:", "\nShdPnd:" };
	unsigned int flags = 0;
	char text[4096];
	char *field;

	if (kill(pid, 0) && errno == ESRCH)
		return true;

	proc_read(pid, "status", text, sizeof(text));
	for (int i = 0; i < 2; i++) {
		field = strstr(text, pending[i]);
		if (field && strtoull(field + strlen(pending[i]), NULL, 16) >> (SIGKILL - 1) & 1)
			return true;
	}
	if (strstr(text, "\nCoreDumping:\t1"))
		return true;

	/* "PID (NAME) STATE PPID PGRP SESSION TTY TPGID FLAGS ...", any NAME */
	proc_read(pid, "stat", text, sizeof(text));
	field = strrchr(text, ')');
	return field && sscanf(field, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       flags & PF_EXITING;
}
