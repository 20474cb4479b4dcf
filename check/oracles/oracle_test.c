// SPDX-License-Identifier: GPL-2.0
/*
 * The oracles against stand-ins that break the promise: a test that cannot fail
 * is worth nothing.
 *
 * Each case puts something wrong in the place of a kernel's operation, and the
 * observation that a test of the suite asserts must come out differently.
 */
#include <fcntl.h>
#include <unistd.h>

#include "dax_break.h"

#define PAGES	4

FIXTURE(oracle) {
	struct dax_file file;
	struct waiter waiter;
	struct holder holder;
};

FIXTURE_VARIANT(oracle) {
	const char *fs;
};

FIXTURE_VARIANT_ADD(oracle, ext4) { "ext4" };

FIXTURE_SETUP(oracle)
{
	REQUIRE(return, dax_file_create(&self->file, testbed_dir(variant->fs), PAGES));
}

FIXTURE_TEARDOWN(oracle)
{
	bool gone;

	holder_close(&self->holder);
	gone = waiter_end(&self->waiter);
	dax_file_close(&self->file, !gone);
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

/* Forks the waiter, pins pages 1 and 2, starts it. */
#define START(_fn) do { \
	REQUIRE(return, waiter_fork(&self->waiter, "stand-in", _fn, &self->file)); \
	REQUIRE(return, holder_open(&self->holder, "vmsplice")); \
	REQUIRE(return, dax_file_map(&self->file)); \
	for (unsigned int page = 1; page <= 2; page++) \
		REQUIRE(return, holder_hold(&self->holder, page, \
					    dax_file_page(&self->file, page), \
					    self->file.page_size)); \
	waiter_start(&self->waiter); \
} while (0)

/* P1: an operation that does not wait. */
TEST_F(oracle, sees_no_wait)
{
	START(return_at_once);
	ASSERT_EQ(WAITER_DONE, waiter_observe(&self->waiter));
}

/* P1: asleep, but not because of the pins. */
TEST_F(oracle, sees_another_sleep)
{
	START(sleep_elsewhere);
	ASSERT_EQ(WAITER_LOST, waiter_observe(&self->waiter));
}

/* P2: waits, but burns the CPU. */
TEST_F(oracle, sees_a_spin)
{
	START(spin);
	ASSERT_EQ(WAITER_SPINNING, waiter_observe(&self->waiter));
}

/*
 * P1: after a partial release it must be seen to look again. Every kernel so far
 * waits for the lowest page first: the release of another one wakes nobody.
 */
TEST_F(oracle, sees_no_new_look)
{
	START(truncate_to_page_1);
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&self->waiter));
	REQUIRE(return, holder_release(&self->holder, 2));
	ASSERT_EQ(WAITER_LOST, waiter_observe_again(&self->waiter));
}

/* P2: still asleep when it should be done. */
TEST_F(oracle, sees_no_end)
{
	START(truncate_to_page_1);
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe_end(&self->waiter));
}

/* P5: too little was punched, too much was, a size is wrong. */
TEST_F(oracle, sees_wrong_content)
{
	const struct op *punch = op_find("punch"), *truncate = op_find("truncate");
	struct dax_file *file = &self->file;

	ASSERT_NE(0, punch->check(file, 1, 2));
	ASSERT_NE(0, truncate->check(file, 1, 2));
	REQUIRE(return, punch->run(file->fd, file->page_size, 2 * file->page_size));
	ASSERT_EQ(0, punch->check(file, 1, 2));
	ASSERT_NE(0, punch->check(file, 1, 3));
	ASSERT_NE(0, punch->check(file, 2, 1));
	ASSERT_EQ(1, pwrite(file->fd, "x", 1, 3 * file->page_size));
	ASSERT_NE(0, punch->check(file, 1, 2));
	REQUIRE(return, truncate->run(file->fd, file->page_size, 0));
	ASSERT_EQ(0, truncate->check(file, 1, 2));
	ASSERT_EQ(1, pwrite(file->fd, "x", 1, 0));
	ASSERT_NE(0, truncate->check(file, 1, 2));
}

/* A page that is not really held must not be taken for one that is. */
TEST_F(oracle, sees_a_failed_pin)
{
	REQUIRE(return, holder_open(&self->holder, "vmsplice"));
	REQUIRE(return, dax_file_map(&self->file));
	ASSERT_EQ(0, ftruncate(self->file.fd, 0));
	/* Beyond the end of the file there is no page to hold. */
	ASSERT_NE(0, holder_hold(&self->holder, 1, dax_file_page(&self->file, 1),
				 self->file.page_size));
}

int main(int argc, char **argv)
{
	return dax_break_main(argc, argv);
}
