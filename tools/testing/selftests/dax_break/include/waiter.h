/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Waiter: an operation in a child process, and what can be seen of it.
 *
 *	waiter_fork()			before anything is mapped or pinned
 *	  | child parks
 *	  |			pins are taken
 *	waiter_start()
 *	  | child runs the operation
 *	waiter_observe()		WAITER_BLOCKED: asleep in the layout break
 *	  |			a pin is released
 *	waiter_observe_again()		it looked again, and sleeps again
 *	  |			the last pin is released
 *	waiter_observe_end()		WAITER_DONE
 *	  |			the same over again, from waiter_start() on
 *	waiter_end()			reaped; killed first if need be
 *
 * Nothing is decided by the passing of time: the child's completion is a word in
 * shared memory, its sleep is read from /proc/PID/stat together with
 * /proc/PID/stack (or wchan), a new sleep from its count of voluntary context
 * switches. Only where neither stack nor wchan can be read is sleeping without
 * interruption for a while taken for blocked, and described as such.
 */
#ifndef DAX_BREAK_WAITER_H
#define DAX_BREAK_WAITER_H

#include <stdbool.h>
#include <sys/types.h>

enum waiter_state {
	WAITER_DONE,		/* the operation returned */
	WAITER_BLOCKED,		/* asleep in the layout break */
	WAITER_SPINNING,	/* burns CPU instead of sleeping */
	WAITER_LOST,		/* none of these, within DEADLINE_MS at most */
};

struct waiter_shared;

struct waiter {
	const char *name;	/* of the operation, for people */
	pid_t pid;		/* 0: not forked, or reaped */
	pid_t task;		/* the thread that runs the operation, if not the first; else 0 */
	int go;			/* write end of the pipe that the child waits on */
	struct waiter_shared *shared;
	enum waiter_state seen;
	unsigned long switches;	/* voluntary, when last seen blocked */
	unsigned long start_ticks;	/* CPU time when started, in clock ticks */
	char where[64];		/* kernel function it was last seen asleep in; how it spins */
};

/*
 * Forks a child that will run @fn(@arg), which returns 0 or a negative errno, or
 * exits: that counts as returning 0 if it does so with status 0, else -ECHILD. To
 * be called before a DAX file is mapped or pinned: what the child inherits, it
 * keeps alive. @name must outlive the waiter.
 */
int waiter_fork(struct waiter *waiter, const char *name, int (*fn)(void *), void *arg);

/* Not before an operation that was started has ended. */
void waiter_start(struct waiter *waiter);

/* What the started waiter comes to: one of enum waiter_state, as int for ASSERT_EQ(). */
int waiter_observe(struct waiter *waiter);

/*
 * The same after a release of the page it was waiting for, or another reason to wake up:
 * a sleep only counts if it is a new one. WAITER_LOST: it goes on and on, or as above.
 */
int waiter_observe_again(struct waiter *waiter);

/*
 * The same when nothing is left to wait for: a sleep does not count, unless it goes
 * on and on. A wake-up makes the waiter runnable before the release returns, or soon
 * after if a worker of the kernel's releases: who still is in the sleep that he was
 * last seen in, look after look, has lost it. Then, or if it is asleep again after
 * DEADLINE_MS, WAITER_BLOCKED.
 */
int waiter_observe_end(struct waiter *waiter);

/*
 * The same for an operation that may wait for anything, a lock for instance:
 * WAITER_BLOCKED if it sleeps for DWELL_MS, whatever in. Only to record what it does: a
 * sleep says nothing about how long it lasts.
 */
int waiter_observe_any(struct waiter *waiter);

/*
 * Watches a blocked waiter for a while in which nothing is released that it waits
 * for: WAITER_BLOCKED if it slept, but for a few wake-ups; WAITER_SPINNING if it was
 * woken over and over, or has used CPU time.
 */
int waiter_watch(struct waiter *waiter);

/*
 * Sends it a signal. The child handles SIGUSR1, and SIGUSR2 in such a way that the
 * system call is restarted (SA_RESTART).
 */
void waiter_signal(struct waiter *waiter, int sig);

/* How many signals it has handled. */
unsigned int waiter_handled(const struct waiter *waiter);

/*
 * Kills it, and reaps it. False if it sleeps or spins on: it may go once the pins have;
 * waiter_end() will see.
 */
bool waiter_kill(struct waiter *waiter);

/* What the operation returned; meaningful after WAITER_DONE. */
int waiter_result(const struct waiter *waiter);

/* The last observation in words; overwritten by the next call. */
const char *waiter_describe(const struct waiter *waiter);

/*
 * Reaps the child, killing it if the operation has not ended. False if it
 * survives even that: it is left behind, and its file must not be touched.
 */
bool waiter_end(struct waiter *waiter);

#endif
