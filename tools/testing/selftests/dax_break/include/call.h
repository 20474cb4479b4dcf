/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Call: a system call that a thread sits in for as long as the kernel holds a page
 * for it. The thread gets no signals: they are for the test, not for the call.
 */
#ifndef DAX_BREAK_CALL_H
#define DAX_BREAK_CALL_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

struct call {
	const char *name;	/* of the system call, for diagnoses */
	ssize_t (*fn)(void *arg);
	void *arg;
	pthread_t thread;
	bool running;		/* not joined yet */
	ssize_t result;		/* bytes, or -errno */
};

/*
 * Has @fn(@arg) called. It returns like the system call that it makes, with errno.
 * @call must stay where it is until call_end() has succeeded.
 */
int call_start(struct call *call, const char *name, ssize_t (*fn)(void *arg), void *arg);

/* Waits until it has returned, which it must within DEADLINE_MS. */
int call_end(struct call *call);

/* Why the ended call did not return @len, or 0. */
int call_check(const struct call *call, size_t len);

/*
 * The whole of it: has @fn(@arg) called and waits until it has returned, so that what
 * never returns does not take the test with it. 0, or a negative errno: its own, or
 * -ETIMEDOUT. @arg must stay where it is if it times out.
 */
int call_bounded(const char *name, ssize_t (*fn)(void *arg), void *arg);

#endif
