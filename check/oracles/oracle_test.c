// SPDX-License-Identifier: GPL-2.0
/*
 * The oracles against stand-ins that break the promise: a test that cannot fail
 * is worth nothing.
 *
 * Each case puts something wrong in the place of a kernel's operation, and the
 * observation that a test of the suite asserts must come out differently.
 */
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

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
	REQUIRE(return, dax_file_create(&self->trial.file, testbed_dir(variant->fs), PAGES));
}

FIXTURE_TEARDOWN(oracle)
{
	trial_end(&self->trial);
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
	struct dax_file *file = arg;

	return op_find("truncate")->run(file->fd, file->page_size, 0);
}

/* Forks a waiter for @fn, pins pages 1 and 2, starts it. */
static int start(struct trial *trial, int (*fn)(void *))
{
	int rc = waiter_fork(&trial->waiter, "stand-in", fn, &trial->file) ?:
		 holder_open(&trial->holder, "vmsplice") ?:
		 dax_file_map(&trial->file);

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

/* P5: nothing was done, something else was, a page beside it has changed. */
TEST_F(oracle, sees_wrong_content)
{
	for (const struct op *op = ops; op->name; op++) {
		struct dax_file file;

		if (op_probe(op, testbed_dir(variant->fs)))
			continue;
		REQUIRE(return, dax_file_create(&file, testbed_dir(variant->fs), PAGES));
		if (op->effect != OP_KEEPS)
			EXPECT_NE(0, op_check(op, &file, 1, 2));
		EXPECT_EQ(0, op->run(file.fd, file.page_size, 2 * file.page_size));
		EXPECT_EQ(0, op_check(op, &file, 1, 2)) {
			TH_LOG("%s: %s", op->name, why());
		}
		if (op->effect != OP_KEEPS)
			EXPECT_NE(0, op_check(op, &file, 2, 1));
		EXPECT_EQ(1, pwrite(file.fd, "x", 1, 0));
		EXPECT_NE(0, op_check(op, &file, 1, 2));
		dax_file_close(&file, false);
	}
}

/* P5: data that a device wrote during the wait, but that has not arrived. */
TEST_F(oracle, sees_lost_dma)
{
	struct dax_file *file = &self->trial.file;

	ASSERT_TRUE(dax_file_page_holds(file, 0, file->content[0]));
	dax_file_page_got(file, 0, 0x4141414141414141);
	ASSERT_FALSE(dax_file_page_holds(file, 0, file->content[0]));
}

/* A page that is not really held must not be taken for one that is. */
TEST_F(oracle, sees_a_failed_pin)
{
	REQUIRE(return, holder_open(&self->trial.holder, "vmsplice"));
	REQUIRE(return, dax_file_map(&self->trial.file));
	ASSERT_EQ(0, ftruncate(self->trial.file.fd, 0));
	/* Beyond the end of the file there is no page to hold. */
	ASSERT_NE(0, trial_hold(&self->trial, 1));
}

int main(int argc, char **argv)
{
	return dax_break_main(argc, argv);
}
