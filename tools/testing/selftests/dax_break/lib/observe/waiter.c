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

#include "base/proc.h"
#include "deadline.h"
#include "finding.h"
#include "virtiofs.h"
#include "waiter.h"

/*
 * No operation of ours needs so much CPU time, but one that spins soon has used it. In a
 * guest whose host is busy, CPU time passes while nothing is executed, so the waiter must
 * also have been seen running so many times: the observer is slowed down as much, by a slow
 * kernel, too. Under emulation the longest one, umount, is seen so some fifty times.
 */
#define SPIN_MS		200
#define SPIN_LOOKS	300
/*
 * A waiter that has been in one sleep for so long is blocked, where it cannot be read, or
 * does not matter, what it sleeps in. If the sleep is from before the last release, and it
 * was seen there so many times, it has missed its wake-up. Only time can tell if one of the
 * kernel's workers does the release, or if the sleep is not in the layout break.
 */
#define LONG_MS		500
#define LONG_LOOKS	300
/*
 * If all has been done that could wake the waiter, time need not tell: a waiter that is
 * woken becomes runnable at once, however long it takes until it runs. So it has missed its
 * wake-up if it is asleep while nobody but the observer is runnable. That also rules out a
 * waiter that only looks asleep, because it is about to look at the page once more. One look
 * would do; it costs little to make sure.
 */
#define SETTLED_LOOKS	5
/*
 * How long waiter_watch() watches, and how much may happen meanwhile: others share the wait
 * queue, and wake the waiter up, too. If nothing at all has happened for QUIET_MS, nothing
 * will: no waiter that looks at its page more than WATCH_WAKES times in WATCH_MS sleeps for
 * so long.
 */
#define WATCH_MS	100
#define QUIET_MS	30
#define WATCH_WAKES	5
#define WATCH_CPU_MS	50
/* A killed task that is not gone by then does not die before its pin is gone. */
#define KILL_MS		2000
/* A killed task is stuck only if it is also seen stuck so many times: the machine is busy. */
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

/* In the child, for its signal handler. */
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
	/* The child dies with the test, whatever kills the test. */
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
	waiter->settled = false;
	waiter->start_ticks = proc_task(waiter->pid).ticks;
	if (write(waiter->go, "", 1) != 1)
		abort();	/* an empty pipe always takes a byte */
}

/*
 * Parts of the names of functions that only a layout break sleeps in. From 6.1 to 7.3 these
 * are ext4_, xfs_ and fuse_wait_dax_page(), which dax_break_layout() calls since 6.15, and
 * dax_break_layout_final() (fs/dax.c). The other names would show up if a compiler inlined
 * differently.
 */
static const char *const break_functions[] = {
	"wait_dax_page", "wait_page_idle",
	"dax_break_layout", "break_dax_layouts", "_break_layouts",
};

/*
 * Does the waiter sleep in the layout break? Only the innermost function counts, since a
 * task in a layout break can also wait for a lock. 1: yes; 0: it sleeps in something else;
 * -1: the kernel does not tell.
 */
static int sleeps_in_break(struct waiter *waiter)
{
	char text[4096], *function;

	proc_read(runner(waiter), "stack", text, sizeof(text));
	if (!text[0])
		proc_read(runner(waiter), "wchan", text, sizeof(text));
	if (!text[0] || !strcmp(text, "0"))
		return -1;
	/* A line of the stack is "[<0>] function+0x12/0x34"; wchan is just "function". */
	function = text[0] == '[' ? text + strcspn(text, " ") + 1 : text;
	snprintf(waiter->where, sizeof(waiter->where), "%.*s", (int)strcspn(function, "+\n"),
		 function);
	for (size_t i = 0; i < ARRAY_SIZE(break_functions); i++)
		if (strstr(waiter->where, break_functions[i]))
			return 1;
	return 0;
}

/* Has the child exited? Then either the operation was to exit, or it crashed. */
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

/*
 * Which sleep ends the observation: any in the layout break, one that is new there, none,
 * or a long one, wherever.
 */
enum until { ANY_SLEEP, NEW_SLEEP, NO_SLEEP, LONG_SLEEP };

/* What an observation remembers from one look to the next. */
struct watch {
	enum until until;
	unsigned int running;	/* how many times it was seen running */
	unsigned long switches;	/* the sleep that it was last seen in, */
	bool known;		/* whether it has been seen what in, */
	int in_break;		/* and then what sleeps_in_break() says, */
	unsigned int looks;	/* how many times, */
	unsigned int alone;	/* how many times with nobody else runnable, */
	long deadline;		/* and when that is a long one */
};

static bool spins(struct waiter *waiter, struct watch *watch)
{
	unsigned long spin = SPIN_MS * sysconf(_SC_CLK_TCK) / 1000;

	if (++watch->running < SPIN_LOOKS ||
	    proc_task(runner(waiter)).ticks - waiter->start_ticks < spin)
		return false;
	snprintf(waiter->where, sizeof(waiter->where), "%d ms of CPU time", SPIN_MS);
	return true;
}

/* Has the sleep, which @switches identifies, become a long one? */
static bool sleeps_long(struct watch *watch, unsigned long switches)
{
	if (switches != watch->switches) {
		watch->switches = switches;
		watch->known = false;
		watch->looks = 0;
		watch->alone = 0;
		watch->deadline = deadline_in(LONG_MS);
	}
	watch->looks++;
	return deadline_over(watch->deadline);
}

/* Nothing will end this sleep. */
static bool goes_on(const struct watch *watch)
{
	return watch->alone >= SETTLED_LOOKS ||
	       (watch->looks >= LONG_LOOKS && deadline_over(watch->deadline));
}

/* Does this sleep end the observation? Then with *@state. */
static bool sleep_ends(struct waiter *waiter, const struct watch *watch,
		       enum waiter_state *state)
{
	bool new = watch->switches != waiter->switches;

	waiter->switches = watch->switches;
	*state = WAITER_BLOCKED;
	if (watch->until == ANY_SLEEP || watch->until == LONG_SLEEP ||
	    (watch->until == NEW_SLEEP && new))
		return true;
	if (watch->until == NEW_SLEEP)
		*state = WAITER_LOST;
	return goes_on(watch);
}

/*
 * One look at a waiter that was asleep a moment ago, in the sleep @switches. Is that a sleep
 * that counts, and was it in it from before to after this look?
 */
static bool look_asleep(struct waiter *waiter, struct watch *watch, unsigned long switches)
{
	bool is_long = sleeps_long(watch, switches), alone = false;
	int in_break = watch->known ? watch->in_break : sleeps_in_break(waiter);
	struct proc_pace pace;

	if (in_break > 0 && waiter->settled)
		alone = proc_runnable() == 1;
	pace = proc_pace(runner(waiter));
	if (pace.switches != switches || !proc_asleep(pace.state))
		return false;
	watch->in_break = in_break;
	watch->known = true;
	watch->alone += alone;
	if (watch->until == LONG_SLEEP)
		return is_long;
	if (in_break < 0 && is_long)
		snprintf(waiter->where, sizeof(waiter->where),
			 "a place that cannot be read (guessed after %d ms)", LONG_MS);
	return in_break < 0 ? is_long : in_break;
}

static enum waiter_state look_until(struct waiter *waiter, enum until until)
{
	struct watch watch = { .until = until, .deadline = deadline_in(LONG_MS) };
	long deadline = deadline_in(DEADLINE_MS);
	enum waiter_state state;

	for (;; deadline_pause()) {
		struct proc_pace pace = proc_pace(runner(waiter));
		bool counts = proc_asleep(pace.state) &&
			      look_asleep(waiter, &watch, pace.switches);

		/* After that look, so that a waiter that is done never counts as asleep. */
		if (atomic_load(&waiter->shared->done) || (pace.state == 'Z' && exited(waiter)))
			return WAITER_DONE;
		if (pace.state == 'R' && spins(waiter, &watch))
			return WAITER_SPINNING;
		if (counts && sleep_ends(waiter, &watch, &state))
			return state;
		if (deadline_over(deadline))
			return counts && until == NO_SLEEP ? WAITER_BLOCKED : WAITER_LOST;
	}
}

static int observe(struct waiter *waiter, enum until until)
{
	waiter->seen = look_until(waiter, until);
	return waiter->seen;
}

int waiter_observe(struct waiter *waiter)
{
	return observe(waiter, ANY_SLEEP);
}

int waiter_observe_again(struct waiter *waiter)
{
	return observe(waiter, NEW_SLEEP);
}

int waiter_observe_end(struct waiter *waiter)
{
	return observe(waiter, NO_SLEEP);
}

int waiter_observe_any(struct waiter *waiter)
{
	return observe(waiter, LONG_SLEEP);
}

/* Is the waiter still in the sleep that it was in @before? */
static bool still_sleeps(const struct waiter *waiter, const struct proc_pace *before)
{
	struct proc_pace pace = proc_pace(runner(waiter));

	return proc_asleep(pace.state) && pace.switches == before->switches;
}

int waiter_watch(struct waiter *waiter)
{
	unsigned long ticks = proc_task(runner(waiter)).ticks;
	struct proc_pace before = proc_pace(runner(waiter));
	long quiet = deadline_in(QUIET_MS), end = deadline_in(WATCH_MS);
	unsigned long cpu_ms, wakes;

	while (!deadline_over(quiet))
		deadline_pause();
	while (!deadline_over(end) && !still_sleeps(waiter, &before))
		deadline_pause();
	ticks = proc_task(runner(waiter)).ticks - ticks;
	cpu_ms = ticks * 1000 / sysconf(_SC_CLK_TCK);
	wakes = proc_pace(runner(waiter)).switches - before.switches;
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
	/* A signal wakes its own process. What that does for others takes its time. */
	waiter->settled = !waiter->task;
}

bool waiter_is_running(const struct waiter *waiter)
{
	return proc_task(runner(waiter)).state == 'R';
}

unsigned int waiter_handled(const struct waiter *waiter)
{
	return atomic_load(&waiter->shared->handled);
}

/* Reaps the child, which has been killed. False: it does not die. */
static bool reap(pid_t pid)
{
	long deadline = deadline_in(KILL_MS), patience = deadline_in(PROC_STUCK_MS);
	unsigned int stuck = 0;

	while (waitpid(pid, NULL, WNOHANG) != pid) {
		stuck = proc_stuck(pid, VIRTIOFS_WAIT) ? stuck + 1 : 0;
		if (deadline_over(deadline) || (deadline_over(patience) && stuck >= STUCK_LOOKS))
			return false;
		deadline_pause();
	}
	return true;
}

bool waiter_kill(struct waiter *waiter)
{
	waiter->task = 0;	/* the whole process has to die */
	waiter->start_ticks = proc_task(waiter->pid).ticks;
	waiter_signal(waiter, SIGKILL);
	if (observe(waiter, NO_SLEEP) != WAITER_DONE || !reap(waiter->pid))
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

bool waiter_end(struct waiter *waiter)
{
	if (!waiter->pid)
		return true;
	/*
	 * A child whose operation is done waits for another start, or for the end of the
	 * pipe. But the pipe does not end if a waiter that was forked later has it, too.
	 */
	close(waiter->go);
	kill(waiter->pid, SIGKILL);
	if (!reap(waiter->pid))
		return false;
	munmap(waiter->shared, sizeof(*waiter->shared));
	waiter->pid = 0;
	return true;
}
