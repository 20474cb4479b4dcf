// SPDX-License-Identifier: GPL-2.0
/*
 * P1, waits: however the pinned page is mapped, and whether it still is.
 *
 * Each case runs an operation on pages 1 and 2 of a file of four, with page 1 pinned
 * through
 *
 *	a read-only mapping	the page is clean, its PTE not writable
 *	a private mapping	not written to, so it is still the file's page
 *	a mapping by MAP_SYNC	metadata was synced by the fault
 *	a mapping since gone	a device does not care for page tables
 *	one of two mappings	the other one is another process's, and stays
 *
 * Seen must be: asleep in the layout break while the pin is left, done after it has
 * gone, and a file that looks as the operation promises. (A mapping that is shared,
 * writable and the only one is what all other tests use.)
 *
 * dax_busy_page(), fs/dax.c, compares references and mappings of a page. Before
 * 6.15 dax_layout_busy_page() took "mapped by nobody" for "used by nobody" (fixed by
 * cee91fa13a8e).
 */
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "dax_break.h"
#include "deadline.h"

FIXTURE(mappings) {
	struct trial trial;
};

FIXTURE_VARIANT(mappings) {
	struct fs_op on;
};

static int setup(struct trial *trial, const struct fs_op *on)
{
	const struct trial_spec spec = {
		.fs = on->fs,
		.op = on->op,
		.holder = "vmsplice",
	};

	return trial_setup(trial, &spec);
}

FIXTURE_SETUP(mappings)
{
	REQUIRE(return, setup(&self->trial, &variant->on));
}

FIXTURE_TEARDOWN(mappings)
{
	trial_teardown(_metadata, &self->trial);
}

/* Replaces the mapping, through which nothing has been touched yet. */
static int map_as(struct dax_file *file, const char *mapping)
{
	dax_file_unmap(file);
	return dax_file_map(file, mapping, DAX_PTE);
}

TEST_F(mappings, read_only)
{
	REQUIRE(return, map_as(&self->trial.file, "read_only"));
	expect_wait_for(_metadata, &self->trial, 1);
}

TEST_F(mappings, private)
{
	REQUIRE(return, map_as(&self->trial.file, "private"));
	expect_wait_for(_metadata, &self->trial, 1);
}

TEST_F(mappings, sync)
{
	REQUIRE(return, map_as(&self->trial.file, "sync"));
	expect_wait_for(_metadata, &self->trial, 1);
}

/* For operations that leave the file open: evicting ones only ever see it unmapped. */
FIXTURE(mapped) {
	struct trial trial;
	pid_t other;		/* the other process; 0: none */
};

FIXTURE_VARIANT(mapped) {
	struct fs_op on;
};

FIXTURE_SETUP(mapped)
{
	REQUIRE(return, setup(&self->trial, &variant->on));
}

FIXTURE_TEARDOWN(mapped)
{
	int status;

	if (self->other) {
		kill(self->other, SIGKILL);
		deadline_wait_child(self->other, DEADLINE_MS, &status);
	}
	trial_teardown(_metadata, &self->trial);
}

TEST_F(mapped, by_nobody)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, trial_hold(trial, 1));
	dax_file_unmap(&trial->file);
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
}

TEST_F(mapped, by_another_process)
{
	struct trial *trial = &self->trial;
	struct pollfd ready = { .events = POLLIN };
	int pipe_fds[2];

	/* Before the pin: a child inherits what holds it. */
	ASSERT_EQ(0, pipe(pipe_fds));
	self->other = fork();
	if (!self->other) {
		for (unsigned int page = 0; page < trial->file.pages; page++)
			dax_file_touch(&trial->file, page);
		if (write(pipe_fds[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	ASSERT_LT(0, self->other);
	ready.fd = pipe_fds[0];
	ASSERT_EQ(1, poll(&ready, 1, DEADLINE_MS));
	expect_wait_for(_metadata, trial, 1);
}

#include "aftermath_fixture.h"

int main(int argc, char **argv)
{
	VARIANTS_OF_OPS(mappings, 0, OP_SPARES);
	VARIANTS_OF_OPS(mapped, 0, OP_SPARES | OP_EVICTS);
	return dax_break_main(argc, argv);
}
