// SPDX-License-Identifier: GPL-2.0
/*
 * P3, yields: an operation that waits for pinned pages can be called off, and holds
 * nobody up who need not wait.
 *
 * Each case runs an operation on pages 1 and 2 of a file of four, with page 1 pinned,
 * and sends a signal once it waits:
 *
 *	interrupted	one whose handler was installed without SA_RESTART: the operation
 *			returns -EINTR, the files are as they were, no lock is left
 *			behind, and the next attempt waits again
 *	restarted	one with SA_RESTART: it waits on, and completes
 *	killed		SIGKILL: the process is gone, no lock is left behind. Of two
 *			files, once each is the pinned one
 *	uring		a request of io_uring is cancelled, which is as good as a signal
 *
 * That -ERESTARTSYS (-512) is no error number for programs, signal(7) and
 * include/linux/errno.h: whoever returns it otherwise than from a system call has to
 * make -EINTR of it.
 *
 * wait_page_idle(), fs/dax.c, sleeps interruptibly. An eviction cannot be called off:
 * end_of_life_test.c.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>

#include "access.h"
#include "dax_break.h"
#include "deadline.h"
#include "op/run.h"

static int setup(struct trial *trial, const char *fs, const char *op, bool higher)
{
	const struct trial_spec spec = {
		.fs = fs,
		.op = op,
		.holder = "vmsplice",
		.higher = higher,
	};

	return trial_setup(trial, &spec);
}

/* P3: called off, which has changed nothing and leaves no lock behind. */
#define ASSERT_CALLED_OFF(_trial) do { \
	struct trial *__off = (_trial); \
\
	ASSERT_EQ(0, trial_intact(__off)) { \
		TH_LOG("P3 broken: %s, but %s", trial_describe(__off), why()); \
	} \
	ASSERT_EQ(0, access_all(&__off->file, 1)) { \
		TH_LOG("P3 broken: %s, but %s", trial_describe(__off), why()); \
	} \
} while (0)

FIXTURE(interrupted) {
	struct trial trial;
};

FIXTURE_VARIANT(interrupted) {
	struct fs_op on;
};

FIXTURE_SETUP(interrupted)
{
	REQUIRE(return, setup(&self->trial, variant->on.fs, variant->on.op, false));
}

FIXTURE_TEARDOWN(interrupted)
{
	trial_teardown(_metadata, &self->trial);
}

static void wait_with_page_1(struct __test_metadata *_metadata, struct trial *trial)
{
	REQUIRE(return, trial_hold(trial, 1));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
}

TEST_F(interrupted, eintr)
{
	struct trial *trial = &self->trial;

	wait_with_page_1(_metadata, trial);
	waiter_signal(&trial->waiter, SIGUSR1);
	trial->note = "and a signal";
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(&trial->waiter)) {
		TH_LOG("P3 broken: %s", trial_describe(trial));
	}
	if ((trial->op->flags & OP_FALLS_BACK) && !waiter_result(&trial->waiter)) {
		RECORD(variant->on.fs, "copies when a signal keeps it from sharing",
		       variant->on.op);
		return;
	}
	ASSERT_EQ(-EINTR, waiter_result(&trial->waiter)) {
		TH_LOG("P3 broken: %s", trial_describe(trial));
	}
	ASSERT_CALLED_OFF(trial);
	trial->note = NULL;
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
}

/* For operations whose system call can be restarted. */
FIXTURE(restarted) {
	struct trial trial;
};

FIXTURE_VARIANT(restarted) {
	struct fs_op on;
};

FIXTURE_SETUP(restarted)
{
	REQUIRE(return, setup(&self->trial, variant->on.fs, variant->on.op, false));
}

FIXTURE_TEARDOWN(restarted)
{
	trial_teardown(_metadata, &self->trial);
}

TEST_F(restarted, after_signal)
{
	struct trial *trial = &self->trial;

	wait_with_page_1(_metadata, trial);
	waiter_signal(&trial->waiter, SIGUSR2);
	trial->note = "and a signal with SA_RESTART";
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe_again(&trial->waiter)) {
		TH_LOG("P3 broken: %s", trial_describe(trial));
	}
	ASSERT_EQ(1U, waiter_handled(&trial->waiter)) {
		TH_LOG("P3 broken: %s, which is not handled", trial_describe(trial));
	}
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
}

FIXTURE(killed) {
	struct trial trial;
};

FIXTURE_VARIANT(killed) {
	const char *fs, *op;
	bool higher;
};

FIXTURE_SETUP(killed)
{
	REQUIRE(return, setup(&self->trial, variant->fs, variant->op, variant->higher));
}

FIXTURE_TEARDOWN(killed)
{
	trial_teardown(_metadata, &self->trial);
}

/* Whether it sleeps is the business of cost_test.c: what spins must be killable as well. */
TEST_F(killed, during_wait)
{
	struct trial *trial = &self->trial;
	int seen;

	REQUIRE(return, trial_hold(trial, 1));
	trial_start(trial);
	seen = waiter_observe(&trial->waiter);
	ASSERT_TRUE(seen == WAITER_BLOCKED || seen == WAITER_SPINNING) {
		TH_LOG("P1 broken: %s", trial_describe(trial));
	}
	ASSERT_TRUE(waiter_kill(&trial->waiter)) {
		TH_LOG("P3 broken: %s, and survives SIGKILL", trial_describe(trial));
	}
	trial->note = "killed";
	/* What fell back may have copied first. */
	if (!(trial->op->flags & OP_FALLS_BACK))
		ASSERT_CALLED_OFF(trial);
}

/* Requests of io_uring, which sleep in a worker thread. */
static const struct op uring_ops[] = {
	{ .name = "uring_truncate", .reach = OP_TAIL, .run = uring_truncate_run },
	{ .name = "uring_punch", .reach = OP_RANGE, .run = uring_punch_run },
};

FIXTURE(uring) {
	struct trial trial;
};

FIXTURE_VARIANT(uring) {
	const char *fs;
	const struct op *op;
};

FIXTURE_SETUP(uring)
{
	const struct trial_spec spec = {
		.fs = variant->fs,
		.own = variant->op,
		.holder = "vmsplice",
	};

	REQUIRE(return, probe_op(variant->op, variant->fs));
	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(uring)
{
	trial_teardown(_metadata, &self->trial);
}

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
		TH_LOG("P1 broken: %s, in no worker", trial_describe(trial));
	}
	ASSERT_BLOCKED(trial, waiter_observe);
	trial->note = "a request of io_uring";
}

TEST_F(uring, cancelled)
{
	struct trial *trial = &self->trial;
	int result;

	request_and_wait(_metadata, trial);
	waiter_signal(&trial->waiter, SIGUSR1);
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(&trial->waiter)) {
		TH_LOG("P3 broken: %s and cancelled", trial_describe(trial));
	}
	result = waiter_result(&trial->waiter);
	ASSERT_TRUE(result == -EINTR || result == -ECANCELED) {
		TH_LOG("P3 broken: %s and cancelled", trial_describe(trial));
	}
	ASSERT_CALLED_OFF(trial);
}

TEST_F(uring, killed)
{
	struct trial *trial = &self->trial;

	request_and_wait(_metadata, trial);
	ASSERT_TRUE(waiter_kill(&trial->waiter)) {
		TH_LOG("P3 broken: %s, and survives SIGKILL", trial_describe(trial));
	}
	ASSERT_CALLED_OFF(trial);
}

#include "aftermath_fixture.h"

int main(int argc, char **argv)
{
	VARIANTS_OF_OPS(interrupted, 0, OP_SPARES | OP_EVICTS);
	VARIANTS_OF_OPS(restarted, 0, OP_SPARES | OP_EVICTS | OP_STATUS | OP_FALLS_BACK);
	for (const struct filesystem *fs = filesystems; fs->name; fs++) {
		for (const struct op *op = ops; op->name; op++) {
			const FIXTURE_VARIANT(killed) lower = { fs->name, op->name, false };
			const FIXTURE_VARIANT(killed) higher = { fs->name, op->name, true };

			if (!op_is_for(op, fs->name) ||
			    (op->flags & (OP_SPARES | OP_EVICTS | OP_RARE)))
				continue;
			VARIANT_ADD(killed, lower, "%s_%s", fs->name, op->name);
			if (op->flags & OP_PEER)
				VARIANT_ADD(killed, higher, "%s_%s_higher", fs->name, op->name);
		}
		for (size_t i = 0; i < ARRAY_SIZE(uring_ops); i++) {
			const FIXTURE_VARIANT(uring) data = { fs->name, &uring_ops[i] };

			VARIANT_ADD(uring, data, "%s_%s", fs->name, uring_ops[i].name);
		}
	}
	return dax_break_main(argc, argv);
}
