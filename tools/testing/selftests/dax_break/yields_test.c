// SPDX-License-Identifier: GPL-2.0
/*
 * P3, yields: an operation that waits for pinned pages can be interrupted, and then leaves
 * nothing behind that would hold others up.
 *
 * Each case runs an operation on pages 1 and 2 of a file of four, with page 1 pinned,
 * and sends a signal once it waits:
 *
 *	interrupted	a signal whose handler was installed without SA_RESTART: the operation
 *			returns -EINTR, the files are as they were, no lock is left
 *			behind, and the next attempt waits again
 *	restarted	one with SA_RESTART: the operation waits on, and completes
 *	killed		SIGKILL: the process is gone, no lock is left behind. With two files,
 *			each is pinned in turn
 *	uring		a request of io_uring is cancelled, which interrupts it like a signal
 *
 * Programs must never see -ERESTARTSYS (-512): whatever reports it other than as a system
 * call's result has to report -EINTR (signal(7), include/linux/errno.h).
 *
 * wait_page_idle(), fs/dax.c, sleeps interruptibly. An eviction cannot be interrupted:
 * see end_of_life_test.c.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>

#include "dax_break.h"
#include "deadline.h"

/* P3: the interrupted operation has changed nothing and leaves no lock behind. */
#define ASSERT_CALLED_OFF(_trial) do { \
	struct trial *__off = (_trial); \
\
	ASSERT_KEPT(P3_YIELDS, trial_intact(__off), "%s", trial_describe(__off)); \
	ASSERT_KEPT(P3_YIELDS, access_all(&__off->file, 1), "%s", trial_describe(__off)); \
} while (0)

TRIAL_FIXTURE(interrupted);

static void wait_with_page_1(struct __test_metadata *_metadata, struct trial *trial)
{
	REQUIRE(return, trial_hold(trial, 1));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
}

TEST_F(interrupted, eintr)
{
	struct trial *trial = &self->trial;

	wait_with_page_1(_metadata, trial);
	waiter_signal(&trial->waiter, SIGUSR1);
	trial_situation(trial, "and a signal");
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(&trial->waiter)) {
		BROKEN(P3_YIELDS, "%s", trial_describe(trial));
	}
	if ((trial->op->flags & OP_FALLS_BACK) && !waiter_result(&trial->waiter)) {
		RECORD(variant->on.fs, "copies when a signal keeps it from sharing",
		       variant->on.op->name);
		return;
	}
	ASSERT_EQ(-EINTR, waiter_result(&trial->waiter)) {
		BROKEN(P3_YIELDS, "%s", trial_describe(trial));
	}
	ASSERT_CALLED_OFF(trial);
	trial_situation(trial, NULL);
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
}

/* For operations whose system call can be restarted. */
TRIAL_FIXTURE(restarted);

TEST_F(restarted, after_signal)
{
	struct trial *trial = &self->trial;

	wait_with_page_1(_metadata, trial);
	waiter_signal(&trial->waiter, SIGUSR2);
	trial_situation(trial, "and a signal with SA_RESTART");
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe_again(&trial->waiter)) {
		BROKEN(P3_YIELDS, "%s", trial_describe(trial));
	}
	ASSERT_EQ(1U, waiter_handled(&trial->waiter)) {
		BROKEN(P3_YIELDS, "%s, which is not handled", trial_describe(trial));
	}
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
}

TRIAL_FIXTURE(killed);

/* An operation that spins must be killable, too; cost_test.c checks that it sleeps. */
TEST_F(killed, during_wait)
{
	struct trial *trial = &self->trial;
	int seen;

	REQUIRE(return, trial_hold(trial, 1));
	trial_start(trial);
	seen = waiter_observe(&trial->waiter);
	ASSERT_TRUE(seen == WAITER_BLOCKED || seen == WAITER_SPINNING) {
		BROKEN(P1_WAITS, "%s", trial_describe(trial));
	}
	ASSERT_TRUE(waiter_kill(&trial->waiter)) {
		BROKEN(P3_YIELDS, "%s, and survives SIGKILL", trial_describe(trial));
	}
	trial_situation(trial, "killed");
	/* An operation that falls back may have copied something first. */
	if (!(trial->op->flags & OP_FALLS_BACK))
		ASSERT_CALLED_OFF(trial);
}

/* Requests of io_uring, which sleep in a worker thread. */
TRIAL_FIXTURE(uring);

/* The thread of process @pid that is not its first; 0 if none appears in time. */
static pid_t find_worker(pid_t pid)
{
	long deadline = deadline_in(DEADLINE_MS);
	pid_t worker = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	for (; !worker && !deadline_over(deadline); deadline_pause()) {
		DIR *tasks = opendir(path);
		struct dirent *entry;

		while (tasks && !worker && (entry = readdir(tasks)))
			if (atoi(entry->d_name) != pid)
				worker = atoi(entry->d_name);
		if (tasks)
			closedir(tasks);
	}
	return worker;
}

static void request_and_wait(struct __test_metadata *_metadata, struct trial *trial)
{
	REQUIRE(return, trial_hold(trial, 1));
	trial_start(trial);
	trial->waiter.task = find_worker(trial->waiter.pid);
	ASSERT_NE(0, trial->waiter.task) {
		BROKEN(P1_WAITS, "%s, in no worker", trial_describe(trial));
	}
	ASSERT_BLOCKED(trial);
	trial_situation(trial, "a request of io_uring");
}

TEST_F(uring, cancelled)
{
	struct trial *trial = &self->trial;
	int result;

	request_and_wait(_metadata, trial);
	waiter_signal(&trial->waiter, SIGUSR1);
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(&trial->waiter)) {
		BROKEN(P3_YIELDS, "%s and cancelled", trial_describe(trial));
	}
	result = waiter_result(&trial->waiter);
	ASSERT_TRUE(result == -EINTR || result == -ECANCELED) {
		BROKEN(P3_YIELDS, "%s and cancelled", trial_describe(trial));
	}
	ASSERT_CALLED_OFF(trial);
}

TEST_F(uring, killed)
{
	struct trial *trial = &self->trial;

	request_and_wait(_metadata, trial);
	ASSERT_TRUE(waiter_kill(&trial->waiter)) {
		BROKEN(P3_YIELDS, "%s, and survives SIGKILL", trial_describe(trial));
	}
	ASSERT_CALLED_OFF(trial);
}

/* With two files, the one with the lower inode number is pinned first, then the other. */
static void add_variants(void)
{
	VARIANTS_OF_OPS(interrupted, 0, 0, OP_SPARES | OP_EVICTS);
	VARIANTS_OF_OPS(restarted, 0, 0, OP_SPARES | OP_EVICTS | OP_STATUS | OP_FALLS_BACK);
	VARIANTS_OF_OPS(killed, 0, 0, OP_SPARES | OP_EVICTS);
	for (struct cases c = cases_of_ops(0, OP_PEER, OP_SPARES | OP_EVICTS); cases_next(&c);) {
		const FIXTURE_VARIANT(killed) data = { .on = c.on, .higher = true };

		VARIANT_ADD_AS(killed, data, "higher");
	}
	VARIANTS_OF_OPS(uring, 0, OP_URING, 0);
}

DAX_BREAK_MAIN(.variants = add_variants)
