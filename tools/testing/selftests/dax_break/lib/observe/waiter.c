// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "proc.h"
#include "waiter.h"
#include "why.h"

/*
 * CPU time that no operation of ours needs, but a spin soon has. In a guest whose host
 * is busy, CPU time passes while nothing is executed; so the waiter must also have
 * been seen running that often, by an observer who is slowed down as much.
 */
#define SPIN_MS		500
#define SPIN_LOOKS	300
/* Where nothing says, or matters, what it sleeps in: this long without waking is blocked. */
#define DWELL_MS	500
/*
 * Not woken: as long in the sleep from before the last release, and seen in it as often.
 * A waiter that is woken is runnable at once, however long it takes to run.
 */
#define STALL_MS	500
#define STALL_LOOKS	300
/* How long a sleep is watched, and what may happen in it: others share the wait queue. */
#define WATCH_MS	100
#define WATCH_WAKES	5
#define WATCH_CPU_MS	50
/* A killed task that is not gone by then will not go before its pin does. */
#define KILL_MS		2000
/* On a busy machine, one that sleeps uninterruptibly must also be seen to as often. */
#define STUCK_LOOKS	100

struct waiter_shared {
	atomic_bool done;
	atomic_uint handled;
	int result;
	double took_ms;
};

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

/* Of the child, for its signal handler. */
static struct waiter_shared *my_shared;

static void on_signal(int sig)
{
	atomic_fetch_add(&my_shared->handled, 1);
}

static void child(struct waiter_shared *shared, int go, int (*fn)(void *), void *arg)
{
	struct sigaction action = { .sa_handler = on_signal };
	double start;
	char byte;

	my_shared = shared;
	sigaction(SIGUSR1, &action, NULL);
	action.sa_flags = SA_RESTART;
	sigaction(SIGUSR2, &action, NULL);
	/* Dies with the test, whatever kills that. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(go, &byte, 1) == 1) {
		start = now_ms();
		shared->result = fn(arg);
		shared->took_ms = now_ms() - start;
		atomic_store(&shared->done, true);
	}
	_exit(0);
}

int waiter_fork(struct waiter *waiter, const char *name, int (*fn)(void *), void *arg)
{
	int go[2];

	memset(waiter, 0, sizeof(*waiter));
	waiter->name = name;
	waiter->shared = mmap(NULL, sizeof(*waiter->shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (waiter->shared == MAP_FAILED)
		return why_set(ENOMEM, "no memory to share with a child");
	if (pipe2(go, O_CLOEXEC))
		return why_set(errno, "cannot make a pipe: %s", strerror(errno));
	waiter->pid = fork();
	if (!waiter->pid) {
		close(go[1]);
		child(waiter->shared, go[0], fn, arg);
	}
	close(go[0]);
	waiter->go = go[1];
	if (waiter->pid < 0) {
		waiter->pid = 0;
		return why_set(errno, "cannot fork: %s", strerror(errno));
	}
	return 0;
}

/* The task that runs the operation. */
static pid_t runner(const struct waiter *waiter)
{
	return waiter->task ?: waiter->pid;
}

void waiter_start(struct waiter *waiter)
{
	atomic_store(&waiter->shared->done, false);
	waiter->start_ticks = proc_task(waiter->pid).ticks;
	if (write(waiter->go, "", 1) != 1)
		abort();	/* an empty pipe takes a byte */
}

/*
 * Functions that only a layout break sleeps in, by parts of their names. In 6.1 as
 * in 7.3 these are ext4_, xfs_ and fuse_wait_dax_page(), since 6.15 called from
 * dax_break_layout(), and dax_break_layout_final() (fs/dax.c). The others would
 * be it if a compiler inlined differently.
 */
static const char *const break_functions[] = {
	"wait_dax_page", "wait_page_idle",
	"dax_break_layout", "break_dax_layouts", "_break_layouts",
};

/*
 * Is it the layout break that the waiter sleeps in? Only the innermost function
 * counts: below a layout break a task can also wait for a lock.
 * 1: yes; 0: something else; -1: the kernel does not tell.
 */
static int sleeps_in_break(struct waiter *waiter)
{
	char text[4096], *function;

	proc_read(runner(waiter), "stack", text, sizeof(text));
	if (!text[0])
		proc_read(runner(waiter), "wchan", text, sizeof(text));
	if (!text[0] || !strcmp(text, "0"))
		return -1;
	/* "[<0>] function+0x12/0x34" a line, or just "function" */
	function = text[0] == '[' ? text + strcspn(text, " ") + 1 : text;
	snprintf(waiter->where, sizeof(waiter->where), "%.*s", (int)strcspn(function, "+\n"),
		 function);
	for (size_t i = 0; i < ARRAY_SIZE(break_functions); i++)
		if (strstr(waiter->where, break_functions[i]))
			return 1;
	return 0;
}

/* Has the child exited? Then that is what the operation consisted of, or a crash. */
static bool exited(struct waiter *waiter)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, waiter->pid, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
		return false;
	if (!atomic_load(&waiter->shared->done))
		waiter->shared->result =
			info.si_code == CLD_EXITED && !info.si_status ? 0 : -ECHILD;
	return true;
}

/* Which sleep ends the observation. */
enum until { ANY_SLEEP, NEW_SLEEP, NO_SLEEP, LONG_SLEEP };

static enum waiter_state observe(struct waiter *waiter, enum until until)
{
	unsigned long spin = SPIN_MS * sysconf(_SC_CLK_TCK) / 1000;
	long deadline = deadline_in(DEADLINE_MS);
	long dwell = deadline_in(DWELL_MS);
	long stall = deadline_in(STALL_MS);
	unsigned long dwell_switches = 0;
	unsigned int running = 0, stalled = 0;

	for (;; deadline_pause()) {
		struct proc_task task = proc_task(runner(waiter));
		unsigned long switches = 0;
		int in_break = 0;

		if (task.state == 'S' || task.state == 'D') {
			switches = proc_switches(runner(waiter));
			in_break = sleeps_in_break(waiter);
			if (until == LONG_SLEEP && in_break >= 0)
				in_break = -1;
		}
		/* After the look, so that "asleep" is never said of a finished one. */
		if (atomic_load(&waiter->shared->done) || (task.state == 'Z' && exited(waiter)))
			return WAITER_DONE;
		running += task.state == 'R';
		if (task.ticks - waiter->start_ticks >= spin && running >= SPIN_LOOKS) {
			snprintf(waiter->where, sizeof(waiter->where), "%d ms of CPU time",
				 SPIN_MS);
			return WAITER_SPINNING;
		}
		if (in_break < 0 && switches != dwell_switches) {
			dwell_switches = switches;
			dwell = deadline_in(DWELL_MS);
		} else if (in_break < 0 && deadline_over(dwell)) {
			if (until != LONG_SLEEP)
				snprintf(waiter->where, sizeof(waiter->where),
					 "a place that cannot be read (guessed after %d ms)",
					 DWELL_MS);
			in_break = 1;
		}
		/* The same sleep before and after its stack was read? */
		if (in_break > 0 && proc_switches(runner(waiter)) == switches) {
			bool new = switches != waiter->switches;

			waiter->switches = switches;
			if (until == ANY_SLEEP || until == LONG_SLEEP ||
			    (until == NEW_SLEEP && new))
				return WAITER_BLOCKED;
			if (new) {
				stall = deadline_in(STALL_MS);
				stalled = 0;
			}
			if (++stalled >= STALL_LOOKS && deadline_over(stall))
				return until == NO_SLEEP ? WAITER_BLOCKED : WAITER_LOST;
		}
		if (deadline_over(deadline))
			return in_break > 0 && until == NO_SLEEP ? WAITER_BLOCKED : WAITER_LOST;
	}
}

int waiter_observe(struct waiter *waiter)
{
	waiter->seen = observe(waiter, ANY_SLEEP);
	return waiter->seen;
}

int waiter_observe_again(struct waiter *waiter)
{
	waiter->seen = observe(waiter, NEW_SLEEP);
	return waiter->seen;
}

int waiter_observe_end(struct waiter *waiter)
{
	waiter->seen = observe(waiter, NO_SLEEP);
	return waiter->seen;
}

int waiter_observe_any(struct waiter *waiter)
{
	waiter->seen = observe(waiter, LONG_SLEEP);
	return waiter->seen;
}

int waiter_watch(struct waiter *waiter)
{
	unsigned long ticks = proc_task(runner(waiter)).ticks;
	unsigned long switches = proc_switches(runner(waiter));
	long end = deadline_in(WATCH_MS);
	unsigned long cpu_ms, wakes;

	while (!deadline_over(end))
		deadline_pause();
	ticks = proc_task(runner(waiter)).ticks - ticks;
	cpu_ms = ticks * 1000 / sysconf(_SC_CLK_TCK);
	wakes = proc_switches(runner(waiter)) - switches;
	waiter->seen = WAITER_BLOCKED;
	if (atomic_load(&waiter->shared->done)) {
		waiter->seen = WAITER_DONE;
	} else if (wakes > WATCH_WAKES || cpu_ms > WATCH_CPU_MS) {
		snprintf(waiter->where, sizeof(waiter->where),
			 "%lu wake-ups, %lu ms of CPU time in %d ms", wakes, cpu_ms, WATCH_MS);
		waiter->seen = WAITER_SPINNING;
	}
	return waiter->seen;
}

void waiter_signal(struct waiter *waiter, int sig)
{
	kill(waiter->pid, sig);
}

unsigned int waiter_handled(const struct waiter *waiter)
{
	return atomic_load(&waiter->shared->handled);
}

bool waiter_kill(struct waiter *waiter)
{
	int status;

	waiter->task = 0;	/* the whole process has to go */
	waiter->start_ticks = proc_task(waiter->pid).ticks;
	kill(waiter->pid, SIGKILL);
	waiter->seen = observe(waiter, NO_SLEEP);
	if (waiter->seen != WAITER_DONE || !deadline_wait_child(waiter->pid, KILL_MS, &status))
		return false;
	close(waiter->go);
	waiter->pid = 0;
	return true;
}

int waiter_result(const struct waiter *waiter)
{
	return waiter->shared->result;
}

const char *waiter_describe(const struct waiter *waiter)
{
	static char text[256];
	struct proc_task task;

	switch (waiter->seen) {
	case WAITER_DONE:
		snprintf(text, sizeof(text), "%s returned %d (%s) after %.3f ms", waiter->name,
			 waiter_result(waiter), strerror(-waiter_result(waiter)),
			 waiter->shared->took_ms);
		break;
	case WAITER_BLOCKED:
		snprintf(text, sizeof(text), "%s sleeps in %s", waiter->name, waiter->where);
		break;
	case WAITER_SPINNING:
		snprintf(text, sizeof(text), "%s spins: %s", waiter->name, waiter->where);
		break;
	case WAITER_LOST:
		task = proc_task(runner(waiter));
		snprintf(text, sizeof(text), "%s does not get on: state %c, last seen in %s",
			 waiter->name, task.state,
			 waiter->where[0] ? waiter->where : "user space");
		break;
	}
	return text;
}

/* Reaps the child, which has been killed; false if it does not go. */
static bool reap(pid_t pid)
{
	long deadline = deadline_in(KILL_MS), patience = deadline_in(PROC_STUCK_MS);
	unsigned int stuck = 0;

	while (waitpid(pid, NULL, WNOHANG) != pid) {
		stuck = proc_stuck(pid) ? stuck + 1 : 0;
		if (deadline_over(deadline) || (deadline_over(patience) && stuck >= STUCK_LOOKS))
			return false;
		deadline_pause();
	}
	return true;
}

bool waiter_end(struct waiter *waiter)
{
	if (!waiter->pid)
		return true;
	/*
	 * With its operation done it only waits for another start, or for the end of the
	 * pipe; but that does not come if a waiter forked later has the pipe, too.
	 */
	close(waiter->go);
	kill(waiter->pid, SIGKILL);
	if (!reap(waiter->pid))
		return false;
	munmap(waiter->shared, sizeof(*waiter->shared));
	waiter->pid = 0;
	return true;
}
