// SPDX-License-Identifier: GPL-2.0
/*
 * P8, end of life: whatever takes a file out of memory, or off the disk, while a page of
 * it is pinned, waits or refuses as it should, and finishes once the pin has gone.
 *
 * Each case pins page 1 of a file.
 *
 *	last		A file without a name loses its last reference, in each way in which
 *			that can happen. The kernel must wait, keep the blocks meanwhile, and
 *			free them afterwards.
 *	killed_last	An operation that evicts the file gets SIGKILL while it waits. It
 *			must wait on.
 *	refused		Unmounting is tried with the file open, or its DAX flag is cleared,
 *			which has no effect until later. Neither must wait.
 *	dropped		Caches are dropped when nobody has the file open. That must not
 *			wait, and the pin must not be forgotten.
 *	syncing		sync(2) runs while an unmount waits. What it does is recorded.
 *
 * What must be seen: an operation that waits is asleep in the layout break while the page
 * is pinned, and done after the pin has gone. The tests of P1 show that unlink, rename
 * over, unmount and the DAX flag wait for every kind of pin.
 *
 * ext4_evict_inode(), fs/ext4/inode.c, and xfs_fs_evict_inode(), fs/xfs/xfs_super.c,
 * call dax_break_layout_final(), fs/dax.c, since 6.15 (0e2f80afcfa6).
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "call.h"
#include "dax_break.h"
#include "deadline.h"

#define PAGES	64U

/* Ways in which a file without a name can lose its last reference. */
static int close_run(const struct op *op, const struct op_target *t)
{
	return close(t->fd) ? -errno : 0;
}

static int exit_run(const struct op *op, const struct op_target *t)
{
	_exit(0);
}

static int map_last(const struct op_target *t, void **addr)
{
	*addr = mmap(NULL, t->len, PROT_READ, MAP_SHARED, t->fd, 0);
	return *addr == MAP_FAILED || close(t->fd) ? -errno : 0;
}

static int munmap_run(const struct op *op, const struct op_target *t)
{
	void *addr;

	return map_last(t, &addr) ?: munmap(addr, t->len) ? -errno : 0;
}

/*
 * The exit of a process that maps the file is not among them. A process that reads
 * /proc/PID/stat of another one holds on to its memory (get_task_mm()), and may be the one
 * that drops it in the end. That would be this process, which has the page pinned.
 */
static const struct op last_ops[] = {
	{ .name = "close", .reach = OP_WHOLE, .flags = OP_OWN | OP_EVICTS, .run = close_run },
	{ .name = "exit", .reach = OP_WHOLE, .flags = OP_OWN | OP_EVICTS, .run = exit_run },
	{ .name = "munmap", .reach = OP_WHOLE, .flags = OP_OWN | OP_EVICTS, .run = munmap_run },
};

TRIAL_FIXTURE(last, .pages = PAGES, .count = PAGES, .nameless = true);

static long free_blocks(const struct trial *trial)
{
	struct statvfs st = { 0 };

	statvfs(testbed_dir(trial->spec.on.fs), &st);
	return st.f_bfree;
}

/* Most blocks that can become free in the filesystem meanwhile are those of the file. */
TEST_F(last, waits)
{
	struct trial *trial = &self->trial;
	long before = free_blocks(trial);
	long deadline;

	REQUIRE(return, trial_hold(trial, 1));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	ASSERT_GT(before + PAGES / 2, free_blocks(trial)) {
		BROKEN(P8_END_OF_LIFE, "%ld blocks became free: %s", free_blocks(trial) - before,
		       trial_describe(trial));
	}
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
	/* XFS frees them later, in a worker thread. */
	deadline = deadline_in(DEADLINE_MS);
	while (free_blocks(trial) < before + PAGES / 2 && !deadline_over(deadline))
		deadline_pause();
	ASSERT_LE(before + PAGES / 2, free_blocks(trial)) {
		BROKEN(P8_END_OF_LIFE, "its blocks do not become free: %s", trial_describe(trial));
	}
}

TRIAL_FIXTURE(killed_last, .pages = 4, .count = 4);

/* An inode halfway out of memory cannot come back, so no signal may end the wait. */
TEST_F(killed_last, waits_on)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, trial_hold(trial, 1));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	waiter_signal(&trial->waiter, SIGKILL);
	trial_situation(trial, "and SIGKILL");
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&trial->waiter)) {
		BROKEN(P8_END_OF_LIFE, "%s", trial_describe(trial));
	}
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_ENDS(P8_END_OF_LIFE, &trial->waiter, "with nothing pinned, and SIGKILL");
	ASSERT_KEPT(P8_END_OF_LIFE, trial_check(trial), "after %s, killed during its wait",
		    trial->op->name);
}

/* Operations that must see at once that the file is still open. */
static int umount_open_run(const struct op *op, const struct op_target *t)
{
	return umount(t->mount) ? -errno : 0;
}

static int dax_off_open_run(const struct op *op, const struct op_target *t)
{
	return dax_flag_set(t->fd, false);
}

static const struct op refused_ops[] = {
	{ .name = "umount_open", .flags = OP_OWN | OP_UNMOUNTS, .run = umount_open_run },
	{ .name = "dax_off_open", .flags = OP_OWN, .run = dax_off_open_run },
};

TRIAL_FIXTURE(refused, .pages = 4, .count = 4);

TEST_F(refused, at_once)
{
	struct trial *trial = &self->trial;
	/* The flag is accepted for later. */
	int expected = trial->op->flags & OP_UNMOUNTS ? -EBUSY : 0;

	REQUIRE(return, trial_hold(trial, 1));
	trial_start(trial);
	ASSERT_EQ(WAITER_DONE, waiter_observe(&trial->waiter)) {
		BROKEN(P8_END_OF_LIFE, "%s, of a file that is open", trial_describe(trial));
	}
	ASSERT_EQ(expected, waiter_result(&trial->waiter)) {
		BROKEN(P8_END_OF_LIFE, "%s, of a file that is open", trial_describe(trial));
	}
	ASSERT_TRUE(dax_file_is_dax(&trial->file)) {
		BROKEN(P8_END_OF_LIFE, "%s, and the file is no longer DAX", trial_describe(trial));
	}
	ASSERT_KEPT(P8_END_OF_LIFE, trial_intact(trial), "%s", trial_describe(trial));
}

FIXTURE(dropped) {
	struct dax_file file;
	struct waiter waiter;
	struct holder holder;
};

FIXTURE_VARIANT_ON(dropped);

/* This takes the path because nobody has the file open until then. */
static int truncate_path(void *arg)
{
	const struct dax_file *file = arg;

	return truncate(file->path, 0) ? -errno : 0;
}

FIXTURE_SETUP(dropped)
{
	const struct dax_file_spec spec = { .dir = testbed_dir(variant->on.fs), .pages = 4 };

	REQUIRE(return, testbed_require(variant->on.fs));
	REQUIRE(return, dax_file_create(&self->file, &spec));
	dax_file_let_go(&self->file);
	REQUIRE(return, waiter_fork(&self->waiter, "truncate", truncate_path, &self->file));
	REQUIRE(return, holder_open(&self->holder, "vmsplice"));
	REQUIRE(return, dax_file_reopen(&self->file));
	REQUIRE(return, dax_file_map(&self->file, "shared", DAX_PTE));
}

FIXTURE_TEARDOWN(dropped)
{
	holder_close(&self->holder);
	dax_file_unmap(&self->file);
	dax_file_close(&self->file, !waiter_end(&self->waiter));
	expect_quiet(_metadata);
}

#define DROP_CACHES	"/proc/sys/vm/drop_caches"

/*
 * Once would not be enough. The kernel at first spares a dentry that has been used
 * (dentry_lru_isolate(), fs/dcache.c), and looks at it a second time only if the first
 * round has freed something (drop_slab(), mm/vmscan.c).
 */
static ssize_t drop_caches(void *arg)
{
	int fd = open(DROP_CACHES, O_WRONLY | O_CLOEXEC);
	ssize_t rc = fd < 0 ? -1 : 0;

	for (int i = 0; rc >= 0 && i < 3; i++)
		rc = write(fd, "3", 1);
	close(fd);
	return rc;
}

TEST_F(dropped, caches)
{
	struct dax_file *file = &self->file;

	dax_file_touch(file, 1);
	REQUIRE(return, holder_hold(&self->holder, 1, dax_file_page(file, 1), file->page_size));
	dax_file_let_go(file);
	ASSERT_KEPT(P8_END_OF_LIFE, call_bounded("dropping caches", drop_caches, NULL),
		    "with a page pinned of a file that nobody has open");
	waiter_start(&self->waiter);
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&self->waiter)) {
		BROKEN(P8_END_OF_LIFE, "%s, with page 1 pinned, its inode dropped from memory",
		       waiter_describe(&self->waiter));
	}
	holder_close(&self->holder);
	ASSERT_RETURNS(P8_END_OF_LIFE, 0, &self->waiter, "with nothing pinned");
}

FIXTURE(syncing) {
	struct trial trial;
	struct waiter waiter;
};

FIXTURE_VARIANT_ON(syncing);

static int run_sync(void *arg)
{
	sync();
	return 0;
}

FIXTURE_SETUP(syncing)
{
	const struct trial_spec spec = { .on = variant->on, .pages = 4, .count = 4 };

	REQUIRE(return, waiter_fork(&self->waiter, "sync", run_sync, NULL));
	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(syncing)
{
	trial_teardown(_metadata, &self->trial);
	waiter_end(&self->waiter);
}

TEST_F(syncing, meanwhile)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, trial_hold(trial, 1));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	waiter_start(&self->waiter);
	RECORD(variant->on.fs, waiter_observe_any(&self->waiter) == WAITER_DONE ?
	       "does not hold up, while umount waits" : "holds up, while umount waits", "sync");
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
	ASSERT_ENDS(P8_END_OF_LIFE, &self->waiter, "after umount");
}

static void add_own_ops(const struct filesystem *fs)
{
	for (size_t i = 0; i < ARRAY_SIZE(last_ops); i++) {
		const FIXTURE_VARIANT(last) data = { .on = { fs, &last_ops[i] } };

		VARIANT_ADD(last, data);
	}
	for (size_t i = 0; i < ARRAY_SIZE(refused_ops); i++) {
		const FIXTURE_VARIANT(refused) data = { .on = { fs, &refused_ops[i] } };

		VARIANT_ADD(refused, data);
	}
}

static void add_variants(void)
{
	for (struct cases c = cases_of_filesystems(0); cases_next(&c);)
		add_own_ops(c.on.fs);
	VARIANTS_OF_OPS(killed_last, 0, OP_EVICTS, 0);
	VARIANTS_OF_FILESYSTEMS(dropped, 0);
	VARIANTS_OF_OPS(syncing, 0, OP_UNMOUNTS, 0);
}

DAX_BREAK_MAIN(.variants = add_variants)
