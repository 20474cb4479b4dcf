// SPDX-License-Identifier: GPL-2.0
/* A killed task that is not gone by then does not die before its pin is gone. */
#define KILL_MS		2000

static void child(struct waiter_shared *shared, int go, int (*fn)(void *), void *arg)
{
	char byte;

	/* The child dies with the test, whatever kills the test. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(go, &byte, 1) == 1) {
		shared->result = fn(arg);
		atomic_store(&shared->done, true);
	}
	_exit(0);
}

void waiter_start(struct waiter *waiter)
{
	if (write(waiter->go, "", 1) != 1)
		abort();	/* an empty pipe always takes a byte */
}

/*
 * Does the waiter sleep in the layout break? Only the innermost function counts, since a
 * task in a layout break can also wait for a lock.
 */
static bool sleeps_in_break(struct waiter *waiter)
{
	char text[4096], *function;

	proc_read(waiter->pid, "stack", text, sizeof(text));
	if (!text[0])
		proc_read(waiter->pid, "wchan", text, sizeof(text));
	/* A line of the stack is "[<0>] function+0x12/0x34"; wchan is just "function". */
	function = text[0] == '[' ? text + strcspn(text, " ") + 1 : text;
	snprintf(waiter->where, sizeof(waiter->where), "%.*s", (int)strcspn(function, "+\n"),
		 function);
	for (size_t i = 0; i < ARRAY_SIZE(break_functions); i++)
		if (strstr(waiter->where, break_functions[i]))
			return true;
	return false;
}

/* Which sleep in the layout break ends the observation: any, one that is new, or none. */
enum until { ANY_SLEEP, NEW_SLEEP, NO_SLEEP };

static enum waiter_state look_until(struct waiter *waiter, enum until until)
{
	long deadline = deadline_in(DEADLINE_MS);

	for (;; deadline_pause()) {
		struct proc_pace pace = proc_pace(waiter->pid);
		bool blocked = proc_asleep(pace.state) && sleeps_in_break(waiter) &&
			       proc_pace(waiter->pid).switches == pace.switches;

		/* After that look, so that a waiter that is done never counts as asleep. */
		if (atomic_load(&waiter->shared->done))
			return WAITER_DONE;
		if (blocked && (until == ANY_SLEEP ||
				(until == NEW_SLEEP && pace.switches != waiter->switches))) {
			waiter->switches = pace.switches;
			return WAITER_BLOCKED;
		}
		if (deadline_over(deadline))
			return blocked && until == NO_SLEEP ? WAITER_BLOCKED : WAITER_LOST;
	}
}

/* Reaps the child, which has been killed. False: it does not die. */
static bool reap(pid_t pid)
{
	long deadline = deadline_in(KILL_MS);

	while (waitpid(pid, NULL, WNOHANG) != pid) {
		if (deadline_over(deadline))
			return false;
		deadline_pause();
	}
	return true;
}

const char *waiter_describe(const struct waiter *waiter)
{
	static char text[256];

	if (waiter->seen == WAITER_DONE)
		snprintf(text, sizeof(text), "%s returned %d (%s)", waiter->name,
			 waiter_result(waiter), strerror(-waiter_result(waiter)));
	else
		snprintf(text, sizeof(text), "%s %s %s", waiter->name,
			 waiter->seen == WAITER_BLOCKED ? "sleeps in" :
							  "does not get on, last seen in",
			 waiter->where[0] ? waiter->where : "user space");
	return text;
}
