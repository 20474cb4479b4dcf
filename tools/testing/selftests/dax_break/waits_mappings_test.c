// SPDX-License-Identifier: GPL-2.0
/*
 * P1, waits: an operation waits for a pinned page, however the page is mapped, and even if
 * it no longer is.
 *
 * Each case runs an operation on pages 1 and 2 of a file of four, with page 1 pinned
 * through
 *
 *	a read-only mapping	the page is clean, and its PTE is not writable
 *	a private mapping	nothing was written, so the page is still the file's
 *	a mapping by MAP_SYNC	the fault synced metadata
 *	a mapping since gone	a device does not use the page tables
 *	one of two mappings	the other one is another process's, and stays
 *
 * What must be seen: the operation is asleep in the layout break while the pin is left, and
 * done after it has gone; then the file is as the operation promises. (All other tests use
 * a mapping that is shared, writable and the only one.)
 *
 * dax_busy_page(), fs/dax.c, compares references and mappings of a page. Before 6.15
 * dax_layout_busy_page() took a file that nobody maps for a file that nobody uses (fixed
 * by cee91fa13a8e).
 */
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "dax_break.h"
#include "deadline.h"

TRIAL_FIXTURE(mappings);

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

/* For operations that do not evict the file: those always find it unmapped. */
FIXTURE(mapped) {
	struct trial trial;
	pid_t other;		/* the other process; 0: none */
};

FIXTURE_VARIANT_ON(mapped);

FIXTURE_SETUP(mapped)
{
	const struct trial_spec spec = { .on = variant->on };

	REQUIRE(return, trial_setup(&self->trial, &spec));
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
	ASSERT_BLOCKED(trial);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
}

TEST_F(mapped, by_another_process)
{
	struct trial *trial = &self->trial;
	struct pollfd ready = { .events = POLLIN };
	int pipe_fds[2];

	/* Before the page is pinned, because a child would inherit the pin. */
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

static void add_variants(void)
{
	VARIANTS_OF_OPS(mappings, 0, 0, OP_SPARES);
	VARIANTS_OF_OPS(mapped, 0, 0, OP_SPARES | OP_EVICTS);
}

DAX_BREAK_MAIN(.variants = add_variants)
