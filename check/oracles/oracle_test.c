// SPDX-License-Identifier: GPL-2.0
/*
 * The oracles against stand-ins that break a promise: a test that cannot fail is worth
 * nothing.
 *
 *	oracle	pages 1 and 2 of a file of four are pinned. Something that breaks a promise
 *		runs instead of an operation of the kernel
 *	result	an operation has been run on pages 1 and 2 of a file of four. Then the test
 *		changes the files, or what it expects of them
 *
 * Seen must be: what the tests of the suite assert does not hold.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "call.h"
#include "dax_break.h"
#include "deadline.h"

#define NOBODY	65534

FIXTURE(oracle) {
	struct trial trial;	/* without an operation of its own */
};

FIXTURE_VARIANT(oracle) {
	struct fs_op on;
};

FIXTURE_SETUP(oracle)
{
	const struct dax_file_spec spec = { .dir = testbed_dir(variant->on.fs), .pages = 4 };

	REQUIRE(return, testbed_require(variant->on.fs));
	REQUIRE(return, dax_file_create(&self->trial.file, &spec));
}

FIXTURE_TEARDOWN(oracle)
{
	trial_teardown(_metadata, &self->trial);
}

static int return_at_once(void *file)
{
	return 0;
}

static int sleep_elsewhere(void *file)
{
	return pause();
}

static int spin(void *file)
{
	while (getppid())
		;
	return 0;
}

static int truncate_to_page_1(void *arg)
{
	const struct dax_file *file = arg;
	const struct op_target target = { .fd = file->fd, .start = file->page_size };

	return op_run(op_find("truncate"), &target);
}

/* Forks a waiter for @fn, pins pages 1 and 2, starts it. */
static int start(struct trial *trial, int (*fn)(void *))
{
	int rc = waiter_fork(&trial->waiter, "stand-in", fn, &trial->file) ?:
		 holder_open(&trial->holder, "vmsplice") ?:
		 dax_file_map(&trial->file, "shared", DAX_PTE);

	for (unsigned int page = 1; !rc && page <= 2; page++)
		rc = trial_hold(trial, page);
	if (!rc)
		waiter_start(&trial->waiter);
	return rc;
}

/* P1: an operation that does not wait. */
TEST_F(oracle, sees_no_wait)
{
	REQUIRE(return, start(&self->trial, return_at_once));
	ASSERT_EQ(WAITER_DONE, waiter_observe(&self->trial.waiter));
}

/* P1: it is asleep, but not because of the pins. */
TEST_F(oracle, sees_another_sleep)
{
	REQUIRE(return, start(&self->trial, sleep_elsewhere));
	ASSERT_EQ(WAITER_LOST, waiter_observe(&self->trial.waiter));
}

/* P2: it waits, but burns the CPU. */
TEST_F(oracle, sees_a_spin)
{
	REQUIRE(return, start(&self->trial, spin));
	ASSERT_EQ(WAITER_SPINNING, waiter_observe(&self->trial.waiter));
}

static int wake_up_often(void *file)
{
	while (getppid())
		usleep(1000);
	return 0;
}

/* P2: it is asleep nearly all the time, but wakes up over and over. */
TEST_F(oracle, sees_wake_ups)
{
	REQUIRE(return, start(&self->trial, wake_up_often));
	ASSERT_EQ(WAITER_SPINNING, waiter_watch(&self->trial.waiter));
}

static int wake_up_now_and_then(void *file)
{
	while (getppid())
		usleep(5000);
	return 0;
}

/* P2: the same at longer intervals. */
TEST_F(oracle, sees_seldom_wake_ups)
{
	REQUIRE(return, start(&self->trial, wake_up_now_and_then));
	ASSERT_EQ(WAITER_SPINNING, waiter_watch(&self->trial.waiter));
}

static int exit_well(void *file)
{
	_exit(0);
}

static int exit_badly(void *file)
{
	raise(SIGKILL);
	return 0;
}

/* The first stand-in exits, and that is all of its operation; the second one is killed. */
TEST_F(oracle, tells_exit_from_crash)
{
	REQUIRE(return, start(&self->trial, exit_well));
	ASSERT_EQ(WAITER_DONE, waiter_observe(&self->trial.waiter));
	ASSERT_EQ(0, waiter_result(&self->trial.waiter));
	ASSERT_TRUE(waiter_end(&self->trial.waiter));
	REQUIRE(return, waiter_fork(&self->trial.waiter, "stand-in", exit_badly, NULL));
	waiter_start(&self->trial.waiter);
	ASSERT_EQ(WAITER_DONE, waiter_observe(&self->trial.waiter));
	ASSERT_EQ(-ECHILD, waiter_result(&self->trial.waiter));
}

/* P3: the operation waits on after a signal: it has not been called off. */
TEST_F(oracle, sees_a_signal_ignored)
{
	REQUIRE(return, start(&self->trial, truncate_to_page_1));
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&self->trial.waiter));
	/* This signal has no handler, and by default no effect. */
	waiter_signal(&self->trial.waiter, SIGWINCH);
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe_end(&self->trial.waiter));
	ASSERT_EQ(0U, waiter_handled(&self->trial.waiter));
}

/* P3: the waiter holds a lock of the file, so reading has to wait as well. */
TEST_F(oracle, sees_a_lock)
{
	REQUIRE(return, start(&self->trial, truncate_to_page_1));
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&self->trial.waiter));
	ASSERT_EQ(0, access_fault(&self->trial.file, 1));
	ASSERT_EQ(-ETIMEDOUT, access_all(&self->trial.file, 1));
}

/* P3: another process sleeps, in a lock for instance, and does not end. */
TEST_F(oracle, sees_somebody_held_up)
{
	REQUIRE(return, start(&self->trial, sleep_elsewhere));
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe_any(&self->trial.waiter));
	ASSERT_NE(WAITER_DONE, waiter_observe_end(&self->trial.waiter));
}

/*
 * P1: after a partial release, the operation does not look at the range again. Every
 * kernel so far waits for the lowest page first, so the release of another page wakes
 * nobody.
 */
TEST_F(oracle, sees_no_new_look)
{
	REQUIRE(return, start(&self->trial, truncate_to_page_1));
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&self->trial.waiter));
	REQUIRE(return, trial_release(&self->trial, 2));
	ASSERT_EQ(WAITER_LOST, waiter_observe_again(&self->trial.waiter));
}

/* P2: it is still asleep when it should be done. */
TEST_F(oracle, sees_no_end)
{
	REQUIRE(return, start(&self->trial, truncate_to_page_1));
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe_end(&self->trial.waiter));
}

/* P2: it is still asleep although all has been done that could have woken it up. */
TEST_F(oracle, sees_a_missed_wake_up)
{
	REQUIRE(return, start(&self->trial, truncate_to_page_1));
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&self->trial.waiter));
	self->trial.waiter.settled = true;
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe_end(&self->trial.waiter));
}

/* Both pages are released, but by somebody who takes 200 ms for each of them. */
static ssize_t release_late(void *arg)
{
	struct trial *trial = arg;
	bool filled;
	__u64 word;
	int rc = 0;

	for (unsigned int page = 1; !rc && page <= 2; page++) {
		usleep(200000);
		rc = holder_release(&trial->holder, page, &filled, &word);
	}
	errno = -rc;
	return rc ? -1 : 0;
}

/* A wake-up that is late is none that has been missed. */
TEST_F(oracle, waits_for_a_late_release)
{
	struct call call = { 0 };

	REQUIRE(return, start(&self->trial, truncate_to_page_1));
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&self->trial.waiter));
	REQUIRE(return, call_start(&call, "a late release", release_late, &self->trial));
	EXPECT_EQ(WAITER_BLOCKED, waiter_observe_again(&self->trial.waiter));
	EXPECT_EQ(WAITER_DONE, waiter_observe_end(&self->trial.waiter));
	ASSERT_EQ(0, call_end(&call));
	ASSERT_EQ(0, call.result);
}

static void use_first_cpu(void)
{
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
}

static int truncate_on_busy_cpu(void *file)
{
	use_first_cpu();
	if (nice(19) != 19)
		return -errno;
	return truncate_to_page_1(file);
}

static int spin_on_first_cpu(void *file)
{
	use_first_cpu();
	return spin(file);
}

/* Nor is it one that has missed its wake-up if it only gets very little CPU time. */
TEST_F(oracle, waits_for_a_starved_waiter)
{
	struct waiter *waiter = &self->trial.waiter;
	long deadline = deadline_in(DEADLINE_MS);
	struct waiter other;

	REQUIRE(return, waiter_fork(&other, "a busy process", spin_on_first_cpu, NULL));
	REQUIRE(return, start(&self->trial, truncate_on_busy_cpu));
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(waiter));
	waiter_start(&other);
	while (!waiter_is_running(&other) && !deadline_over(deadline))
		deadline_pause();
	EXPECT_EQ(0, trial_release(&self->trial, 1));
	EXPECT_TRUE(waiter->settled);
	EXPECT_EQ(WAITER_BLOCKED, waiter_observe_again(waiter));
	EXPECT_EQ(0, trial_release(&self->trial, 2));
	EXPECT_EQ(WAITER_DONE, waiter_observe_end(waiter));
	EXPECT_EQ(0, waiter_result(waiter));
	ASSERT_TRUE(waiter_end(&other));
}

/* Without the privilege to read stacks, the waiter's wchan has to do. */
TEST_F(oracle, knows_the_sleep_by_wchan)
{
	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
	/* A process that has changed its uid may not read its own /proc files. */
	ASSERT_EQ(0, prctl(PR_SET_DUMPABLE, 1));
	REQUIRE(return, start(&self->trial, truncate_to_page_1));
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&self->trial.waiter));
	ASSERT_STREQ("ext4_wait_dax_page", self->trial.waiter.where);
}

/* Where not even wchan can be read, a long sleep counts as blocked, and is called a guess. */
TEST_F(oracle, says_that_it_guessed)
{
	REQUIRE(return, start(&self->trial, truncate_to_page_1));
	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&self->trial.waiter));
	ASSERT_NE(NULL, strstr(waiter_describe(&self->trial.waiter), "guessed"));
}

/* A page is not really held: holder_hold() must not say that it is. */
TEST_F(oracle, sees_a_failed_pin)
{
	REQUIRE(return, holder_open(&self->trial.holder, "vmsplice"));
	REQUIRE(return, dax_file_map(&self->trial.file, "shared", DAX_PTE));
	ASSERT_EQ(0, ftruncate(self->trial.file.fd, 0));
	/* Beyond the end of the file there is no page to hold. */
	ASSERT_NE(0, holder_hold(&self->trial.holder, 1, dax_file_page(&self->trial.file, 1),
				 self->trial.file.page_size));
}

/* The holder has a copy, for which no operation has to wait. */
TEST_F(oracle, sees_a_copy)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, holder_open(&trial->holder, "vmsplice"));
	REQUIRE(return, dax_file_map(&trial->file, "private", DAX_PTE));
	/* After a store, a private page is not the file's any more. */
	*(char *)dax_file_page(&trial->file, 1) = 'x';
	ASSERT_NE(0, trial_hold(trial, 1));
}

/* What an operation leaves behind: all operations in turn. */
TRIAL_FIXTURE(result, .holder = HOLDER_NONE);

/* Is this one of the operations @names, up to NULL? */
static bool is_any_of(const struct op *op, const char *const names[])
{
	while (*names && strcmp(op->name, *names))
		names++;
	return *names;
}

static int run(struct trial *trial)
{
	trial_start(trial);
	return waiter_observe_end(&trial->waiter) == WAITER_DONE ? 0 : -ETIMEDOUT;
}

/* P5: the operation has done nothing. */
TEST_F(result, sees_no_change)
{
	static const char *const invisible[] = { "allocate", "unshare", "umount", NULL };
	struct trial *trial = &self->trial;

	if (is_any_of(trial->op, invisible))
		SKIP(return, "%s changes nothing that could be seen", trial->op->name);
	ASSERT_NE(0, trial_check(trial));
}

/* P3: an operation that is said to be called off has done its work all the same. */
TEST_F(result, sees_a_change)
{
	struct trial *trial = &self->trial;

	if ((trial->op->flags & OP_EVICTS) || trial->op->result == op_find("allocate")->result)
		SKIP(return, "%s cannot be called off, or changes nothing", trial->op->name);
	ASSERT_EQ(0, run(trial));
	ASSERT_NE(0, trial_intact(trial));
}

/* P5: the operation was expected to spare its first page, and did not. */
TEST_F(result, sees_another_range)
{
	struct trial *trial = &self->trial;

	if (trial->op->reach == OP_WHOLE || trial->op->result == op_find("allocate")->result)
		SKIP(return, "%s leaves the same whatever its range", trial->op->name);
	ASSERT_EQ(0, run(trial));
	ASSERT_EQ(0, trial_check(trial)) {
		TH_LOG("%s", why());
	}
	trial->target.start += trial->file.page_size;
	trial->target.len -= trial->file.page_size;
	ASSERT_NE(0, trial_check(trial));
}

/* P5: a page beside the range has changed. */
TEST_F(result, sees_damage)
{
	struct trial *trial = &self->trial;

	if (!trial->op->result)
		SKIP(return, "%s leaves nothing of the file", trial->op->name);
	ASSERT_EQ(0, run(trial));
	ASSERT_EQ(0, trial_check(trial)) {
		TH_LOG("%s", why());
	}
	ASSERT_EQ(1, pwrite(trial->file.fd, "x", 1, 7));
	ASSERT_NE(0, trial_check(trial));
}

/* P6: the other file has changed, as if a write to the first one showed there. */
TEST_F(result, sees_damage_of_the_peer)
{
	struct trial *trial = &self->trial;

	if (!(trial->op->flags & OP_PEER) || !trial->op->result)
		SKIP(return, "%s has no other file", trial->op->name);
	ASSERT_EQ(0, run(trial));
	ASSERT_EQ(0, trial_check(trial)) {
		TH_LOG("%s", why());
	}
	ASSERT_EQ(1, pwrite(trial->peer.fd, "x", 1, trial->peer.page_size + 7));
	ASSERT_NE(0, trial_check(trial));
}

/* P5: what a device wrote during the wait is not in the file. */
TEST_F(result, sees_lost_dma)
{
	static const char *const replacing[] = {
		"truncate_zero", "open_trunc", "clone_to", NULL,
	};
	struct trial *trial = &self->trial;

	if (!trial->op->result || is_any_of(trial->op, replacing))
		SKIP(return, "%s leaves nothing of what was there", trial->op->name);
	ASSERT_EQ(0, run(trial));
	dax_file_page_got(&trial->file, 0, 0x4141414141414141);
	ASSERT_NE(0, trial_check(trial));
}

/* P1: the operation has changed the size while it seems to wait. */
TEST_F(result, sees_a_change_of_size)
{
	struct trial *trial = &self->trial;

	trial->before[0] = (struct trial_stat){ .size = trial->file.size + 1 };
	ASSERT_NE(0, trial_unchanged(trial));
}

/* P1: the size is still the same, but blocks are gone. */
TEST_F(result, sees_a_change_of_blocks)
{
	struct trial *trial = &self->trial;

	trial->before[0] = (struct trial_stat){ .size = trial->file.size };
	ASSERT_NE(0, trial_unchanged(trial));
	ASSERT_NE(NULL, strstr(why(), "blocks"));
}

static void add_variants(void)
{
	/* One filesystem will do: the waiter is the same on all. */
	const FIXTURE_VARIANT(oracle) data = { .on.fs = filesystem_find("ext4") };

	VARIANT_ADD(oracle, data);
	VARIANTS_OF_OPS(result, 0, 0, 0);
}

DAX_BREAK_MAIN_UNCHECKED("the tests do harm on purpose", .variants = add_variants)
