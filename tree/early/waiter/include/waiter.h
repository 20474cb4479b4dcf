/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Waiter: an operation in a child process, and what can be seen of it.
 *
 * Time decides nothing. The child tells in shared memory that the operation is done. That
 * it sleeps in the layout break is read from /proc/PID/stack (or wchan), and that this is a
 * new sleep, from its number of voluntary context switches.
 */
#ifndef DAX_BREAK_WAITER_H
#define DAX_BREAK_WAITER_H

enum waiter_state {
	WAITER_DONE,		/* the operation returned */
	WAITER_BLOCKED,		/* it sleeps in the layout break */
	WAITER_LOST,		/* none of these has been seen, within DEADLINE_MS */
};

/*
 * Forks a child that will run @fn(@arg), which returns 0 or a negative errno. Called before
 * a DAX file is mapped or pinned, because the child keeps alive what it inherits. @name must
 * outlive the waiter.
 */
int waiter_fork(struct waiter *waiter, const char *name, int (*fn)(void *), void *arg);

/* Lets the child run the operation. */
void waiter_start(struct waiter *waiter);

/*
 * Watches the waiter, which has been started, until it is done, blocked or lost. Returns
 * that enum waiter_state, as an int for ASSERT_EQ().
 */
int waiter_observe(struct waiter *waiter);

/*
 * The same after the page that it waited for has been released: it is blocked only if this
 * is a new sleep.
 */
int waiter_observe_again(struct waiter *waiter);

/*
 * The same when nothing is left to wait for: it is blocked only if it still sleeps in the
 * layout break when DEADLINE_MS are over.
 */
int waiter_observe_end(struct waiter *waiter);

#endif
