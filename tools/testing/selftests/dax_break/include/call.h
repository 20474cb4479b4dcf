/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Call: a system call in a thread of its own, which sleeps in it for as long as the kernel
 * holds a page for it. The thread blocks all signals, so that they go to the test.
 */
#ifndef DAX_BREAK_CALL_H
#define DAX_BREAK_CALL_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

struct call {
	const char *name;	/* the system call's, for diagnoses */
	ssize_t (*fn)(void *arg);
	void *arg;
	pthread_t thread;
	bool running;		/* the thread has not been joined */
	ssize_t result;		/* once it has been: bytes, or a negative errno */
};

/*
 * Lets a thread call @fn(@arg), which makes the system call and returns what that returns,
 * -1 with errno. @call must stay where it is until call_end() has succeeded.
 */
int call_start(struct call *call, const char *name, ssize_t (*fn)(void *arg), void *arg);

/*
 * Waits until the call has returned; -ETIMEDOUT after DEADLINE_MS. Succeeds at once if no
 * call is running.
 */
int call_end(struct call *call);

/* Checks that the call, which has ended, returned @len. */
int call_check(const struct call *call, size_t len);

/*
 * Does all of this, for a call that may never return, which must not take the test with
 * it. Returns 0, the errno of the call, or -ETIMEDOUT; after that the thread still uses
 * @arg.
 */
int call_bounded(const char *name, ssize_t (*fn)(void *arg), void *arg);

#endif
