/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Waiter: an operation in a child process, and what can be seen of it.
 *
 *	waiter_fork()			before anything is mapped or pinned
 *	  | the child parks
 *	  |			the test takes pins
 *	waiter_start()
 *	  | the child runs the operation
 *	waiter_observe()		WAITER_BLOCKED: it sleeps in the layout break
 *	  |			the test releases a pin
 *	waiter_observe_again()		it has looked again, and sleeps again
 *	  |			the test releases the last pin
 *	waiter_observe_end()		WAITER_DONE
 *	  |			the same again, from waiter_start() on
 *	waiter_end()			the child is reaped, and killed first if need be
 *
 * Time decides nothing. The child tells in shared memory that the operation is done. That
 * it sleeps in the layout break is read from /proc/PID/stat together with /proc/PID/stack
 * (or wchan), and that this is a new sleep, from its number of voluntary context switches.
 * Only where neither stack nor wchan can be read, a waiter that sleeps for a while without
 * interruption is taken for blocked, and is described as guessed.
 *
 * The layout break is dax_break_layout() or dax_break_layout_final(), fs/dax.c; before
 * 6.15, each filesystem's own.
 */
#ifndef DAX_BREAK_WAITER_H
#define DAX_BREAK_WAITER_H

#include <stdbool.h>
#include <sys/types.h>

enum waiter_state {
	WAITER_DONE,		/* the operation returned */
	WAITER_BLOCKED,		/* it sleeps in the layout break */
	WAITER_SPINNING,	/* it burns CPU time instead of sleeping */
	WAITER_LOST,		/* none of these has been seen, within DEADLINE_MS at most */
};

struct waiter_shared;

struct waiter {
	const char *name;	/* the operation's, for diagnoses */
	pid_t pid;		/* 0: not forked, or reaped */
	pid_t task;		/* the thread that runs the operation; 0: the first one */
	int go;			/* the write end of the pipe that the child waits on */
	struct waiter_shared *shared;
	/*
	 * Nothing is under way any more that could wake it up: whoever had a reason to do so
	 * has done it. Then a wake-up that it has missed shows at once, not only after half a
	 * second. True after a signal, and after a release that is HOLDER_PROMPT (holder.h).
	 */
	bool settled;
	enum waiter_state seen;
	unsigned long switches;	/* the sleep it was last seen blocked in (proc_pace()) */
	unsigned long start_ticks;	/* its CPU time when started, in clock ticks */
	char where[64];		/* the kernel function it was last seen in; how it spins */
};

/*
 * Forks a child that will run @fn(@arg), which returns 0 or a negative errno. If the child
 * exits instead, with status 0, that counts as 0, and any other end as -ECHILD. Called
 * before a DAX file is mapped or pinned, because the child keeps alive what it inherits.
 * @name must outlive the waiter.
 */
int waiter_fork(struct waiter *waiter, const char *name, int (*fn)(void *), void *arg);

/* Lets the child run the operation. One that was started before must have ended. */
void waiter_start(struct waiter *waiter);

/*
 * Watches the waiter, which has been started, until it is done, blocked, spinning or lost.
 * Returns that enum waiter_state, as an int for ASSERT_EQ().
 */
int waiter_observe(struct waiter *waiter);

/*
 * The same after the page that it waited for has been released, or after another reason to
 * wake up: it is blocked only if this is a new sleep. If the old sleep goes on and on, it
 * is WAITER_LOST.
 */
int waiter_observe_again(struct waiter *waiter);

/*
 * The same when nothing is left to wait for: a sleep is ignored, unless it goes on and on.
 * A wake-up makes the waiter runnable before the release returns, or soon after if one of
 * the kernel's workers does the release. A waiter that look after look is still in one
 * sleep has missed its wake-up: it is WAITER_BLOCKED, as is one that sleeps in the layout
 * break when DEADLINE_MS are over. How many looks that takes depends on @waiter->settled.
 */
int waiter_observe_end(struct waiter *waiter);

/*
 * The same for an operation that may wait for anything, for instance a lock: it is
 * WAITER_BLOCKED if it sleeps for half a second, whatever in. This is only for recording
 * what an operation does, since nothing tells how long such a sleep would last.
 */
int waiter_observe_any(struct waiter *waiter);

/*
 * Watches a blocked waiter for a while during which nothing that it waits for is released:
 * WAITER_BLOCKED if it slept, apart from a few wake-ups; WAITER_SPINNING if it woke up over
 * and over, or used CPU time; WAITER_DONE.
 */
int waiter_watch(struct waiter *waiter);

/*
 * Sends the child a signal. It handles SIGUSR1, which interrupts system calls, and SIGUSR2,
 * which restarts them (SA_RESTART).
 */
void waiter_signal(struct waiter *waiter, int sig);

/* Is the operation's task runnable, not asleep? */
bool waiter_is_running(const struct waiter *waiter);

/* How many signals the child has handled. */
unsigned int waiter_handled(const struct waiter *waiter);

/*
 * Kills and reaps the child. False: it goes on sleeping or spinning, and is left to
 * waiter_end(), since it may die once the pins are gone.
 */
bool waiter_kill(struct waiter *waiter);

/* What the operation returned, which it has after WAITER_DONE. */
int waiter_result(const struct waiter *waiter);

/* The last observation in words; the next call overwrites it. */
const char *waiter_describe(const struct waiter *waiter);

/*
 * Kills and reaps the child. False: it survives even SIGKILL. It is then left behind, and
 * nothing may touch the file that it works on.
 */
bool waiter_end(struct waiter *waiter);

#endif
