// SPDX-License-Identifier: GPL-2.0
/*
 * The oracles against stand-ins that break the promise: a test that cannot fail
 * is worth nothing.
 *
 * Each case puts something wrong in the place of a kernel's operation, and the
 * observation that a test of the suite asserts must come out differently.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "access.h"
#include "dax_break.h"

#define PAGES	4
#define NOBODY	65534

FIXTURE(oracle) {
	struct trial trial;	/* without an operation of its own */
};

FIXTURE_VARIANT(oracle) {
	const char *fs;
};

FIXTURE_VARIANT_ADD(oracle, ext4) { "ext4" };

FIXTURE_SETUP(oracle)
{
	const struct dax_file_spec spec = { .dir = testbed_dir(variant->fs), .pages = PAGES };

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

	return op_find("truncate")->run(&target);
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

/* P1: asleep, but not because of the pins. */
TEST_F(oracle, sees_another_sleep)
{
	REQUIRE(return, start(&self->trial, sleep_elsewhere));
	ASSERT_EQ(WAITER_LOST, waiter_observe(&self->trial.waiter));
}

/* P2: waits, but burns the CPU. */
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

/* P2: asleep nearly all the time, but not in one sleep. */
TEST_F(oracle, sees_wake_ups)
{
	REQUIRE(return, start(&self->trial, wake_up_often));
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

/* An operation that consists of exiting, and one that never came to its end. */
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

/* P3: who waits on after a signal is not called off. */
TEST_F(oracle, sees_a_signal_ignored)
{
	REQUIRE(return, start(&self->trial, truncate_to_page_1));
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&self->trial.waiter));
	/* Has no handler, and by default no effect. */
	waiter_signal(&self->trial.waiter, SIGWINCH);
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe_end(&self->trial.waiter));
	ASSERT_EQ(0U, waiter_handled(&self->trial.waiter));
}

/* P3: a lock of the file is taken, by the one that waits: reading has to wait as well. */
TEST_F(oracle, sees_a_lock)
{
	REQUIRE(return, start(&self->trial, truncate_to_page_1));
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&self->trial.waiter));
	ASSERT_EQ(0, access_fault(&self->trial.file, 1));
	ASSERT_EQ(-ETIMEDOUT, access_all(&self->trial.file, 1));
}

/* P3: somebody else sleeps in a lock, and does not come to his end. */
TEST_F(oracle, sees_somebody_held_up)
{
	REQUIRE(return, start(&self->trial, sleep_elsewhere));
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe_any(&self->trial.waiter));
	ASSERT_NE(WAITER_DONE, waiter_observe_end(&self->trial.waiter));
}

/*
 * P1: after a partial release it must be seen to look again. Every kernel so far
 * waits for the lowest page first: the release of another one wakes nobody.
 */
TEST_F(oracle, sees_no_new_look)
{
	REQUIRE(return, start(&self->trial, truncate_to_page_1));
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&self->trial.waiter));
	REQUIRE(return, trial_release(&self->trial, 2));
	ASSERT_EQ(WAITER_LOST, waiter_observe_again(&self->trial.waiter));
}

/* P2: still asleep when it should be done. */
TEST_F(oracle, sees_no_end)
{
	REQUIRE(return, start(&self->trial, truncate_to_page_1));
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe_end(&self->trial.waiter));
}

/* Without the privilege to read stacks, wchan has to do. */
TEST_F(oracle, knows_the_sleep_by_wchan)
{
	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
	/* Changing the uid makes a process secret even to itself. */
	ASSERT_EQ(0, prctl(PR_SET_DUMPABLE, 1));
	REQUIRE(return, start(&self->trial, truncate_to_page_1));
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&self->trial.waiter));
	ASSERT_STREQ("ext4_wait_dax_page", self->trial.waiter.where);
}

/* Where not even wchan can be read, a long sleep is taken for blocked, and it says so. */
TEST_F(oracle, says_that_it_guessed)
{
	REQUIRE(return, start(&self->trial, truncate_to_page_1));
	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&self->trial.waiter));
	ASSERT_NE(NULL, strstr(waiter_describe(&self->trial.waiter), "guessed"));
}

/* A page that is not really held must not be taken for one that is. */
TEST_F(oracle, sees_a_failed_pin)
{
	REQUIRE(return, holder_open(&self->trial.holder, "vmsplice"));
	REQUIRE(return, dax_file_map(&self->trial.file, "shared", DAX_PTE));
	ASSERT_EQ(0, ftruncate(self->trial.file.fd, 0));
	/* Beyond the end of the file there is no page to hold. */
	ASSERT_NE(0, holder_hold(&self->trial.holder, 1, dax_file_page(&self->trial.file, 1),
				 self->trial.file.page_size));
}

/* A holder that has a copy has nothing that an operation would have to wait for. */
TEST_F(oracle, sees_a_copy)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, holder_open(&trial->holder, "vmsplice"));
	REQUIRE(return, dax_file_map(&trial->file, "private", DAX_PTE));
	/* What was stored to a private page is not the file's any more. */
	*(char *)dax_file_page(&trial->file, 1) = 'x';
	ASSERT_NE(0, trial_hold(trial, 1));
}

/* What an operation leaves: all of them in turn. */
FIXTURE(result) {
	struct trial trial;
};

FIXTURE_VARIANT(result) {
	struct fs_op on;
};

FIXTURE_SETUP(result)
{
	const struct trial_spec spec = {
		.fs = variant->on.fs,
		.op = variant->on.op,
		.pages = PAGES,
		.first = 1,
		.count = 2,
	};

	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(result)
{
	trial_teardown(_metadata, &self->trial);
}

static int run(struct trial *trial)
{
	trial_start(trial);
	return waiter_observe_end(&trial->waiter) == WAITER_DONE ? 0 : -ETIMEDOUT;
}

/* P5: nothing was done. */
TEST_F(result, sees_no_change)
{
	if (!strcmp(variant->on.op, "allocate") || !strcmp(variant->on.op, "unshare") ||
	    !strcmp(variant->on.op, "umount"))
		SKIP(return, "%s changes nothing that could be seen", variant->on.op);
	ASSERT_NE(0, trial_check(&self->trial));
}

/* P3: an operation that was called off, but has done what it was to do. */
TEST_F(result, sees_a_change)
{
	struct trial *trial = &self->trial;

	if ((trial->op->flags & OP_EVICTS) || trial->op->result == op_find("allocate")->result)
		SKIP(return, "%s cannot be called off, or changes nothing", variant->on.op);
	ASSERT_EQ(0, run(trial));
	ASSERT_NE(0, trial_intact(trial));
}

/* P5: something else was done: to one page less. */
TEST_F(result, sees_another_range)
{
	struct trial *trial = &self->trial;

	if (trial->op->reach == OP_WHOLE || trial->op->result == op_find("allocate")->result)
		SKIP(return, "%s leaves the same whatever its range", variant->on.op);
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
		SKIP(return, "%s leaves nothing of the file", variant->on.op);
	ASSERT_EQ(0, run(trial));
	ASSERT_EQ(0, trial_check(trial)) {
		TH_LOG("%s", why());
	}
	ASSERT_EQ(1, pwrite(trial->file.fd, "x", 1, 7));
	ASSERT_NE(0, trial_check(trial));
}

/* P6: what was written to one file shows in the other. */
TEST_F(result, sees_damage_of_the_peer)
{
	struct trial *trial = &self->trial;

	if (!(trial->op->flags & OP_PEER) || !trial->op->result)
		SKIP(return, "%s has no other file", variant->on.op);
	ASSERT_EQ(0, run(trial));
	ASSERT_EQ(0, trial_check(trial)) {
		TH_LOG("%s", why());
	}
	ASSERT_EQ(1, pwrite(trial->peer.fd, "x", 1, trial->peer.page_size + 7));
	ASSERT_NE(0, trial_check(trial));
}

/* P5: data that a device wrote during the wait, but that has not arrived. */
TEST_F(result, sees_lost_dma)
{
	struct trial *trial = &self->trial;

	if (!trial->op->result || !strcmp(variant->on.op, "truncate_zero") ||
	    !strcmp(variant->on.op, "open_trunc") || !strcmp(variant->on.op, "clone_to"))
		SKIP(return, "%s leaves nothing of what was there", variant->on.op);
	ASSERT_EQ(0, run(trial));
	dax_file_page_got(&trial->file, 0, 0x4141414141414141);
	ASSERT_NE(0, trial_check(trial));
}

/* P1: the operation has begun although it waits. */
TEST_F(result, sees_a_change_of_size)
{
	struct trial *trial = &self->trial;

	trial->before[0] = (struct trial_stat){ .size = trial->file.size + 1 };
	ASSERT_NE(0, trial_unchanged(trial));
}

/* P1: the size is still the same, but blocks have gone. */
TEST_F(result, sees_a_change_of_blocks)
{
	struct trial *trial = &self->trial;

	trial->before[0] = (struct trial_stat){ .size = trial->file.size };
	ASSERT_NE(0, trial_unchanged(trial));
	ASSERT_NE(NULL, strstr(why(), "blocks"));
}

int main(int argc, char **argv)
{
	VARIANTS_OF_OPS(result, 0, 0);
	return dax_break_main(argc, argv);
}
