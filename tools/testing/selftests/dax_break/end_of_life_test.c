// SPDX-License-Identifier: GPL-2.0
/*
 * P8, end of life: what takes a file out of memory, or off the disk, with a page of it
 * pinned, waits or refuses, and finishes after.
 *
 *	last		the last reference to a file without a name goes, by each way in
 *			which one can go: it waits, the blocks stay taken, and are free after
 *	killed_last	whatever evicts a file, with SIGKILL during the wait: it waits on
 *	refused		unmounting with the file open; clearing its DAX flag, which takes
 *			effect later: neither waits
 *	dropped		drop_caches with nobody having the file open: it does not wait, and the
 *			pin is not forgotten
 *	syncing		sync(2) while an unmount waits, which is recorded
 *
 * Seen must be: asleep in the layout break while the pin is left, done after it has gone.
 * That unlink, rename over, unmounting and the DAX flag wait for every kind of pin is
 * tested with the operations of P1.
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
#include "dax_flag.h"
#include "deadline.h"

#define PAGES	64U

/* Ways to give up the last reference to a file that has no name. */
static int close_run(const struct op_target *t)
{
	return close(t->fd) ? -errno : 0;
}

static int exit_run(const struct op_target *t)
{
	_exit(0);
}

static int map_last(const struct op_target *t, void **addr)
{
	*addr = mmap(NULL, t->len, PROT_READ, MAP_SHARED, t->fd, 0);
	return *addr == MAP_FAILED || close(t->fd) ? -errno : 0;
}

static int munmap_run(const struct op_target *t)
{
	void *addr;

	return map_last(t, &addr) ?: munmap(addr, t->len) ? -errno : 0;
}

/*
 * Not by the exit of a process that maps it: who reads its /proc/PID/stat at that moment
 * has its memory to give up in its stead (get_task_mm()), and that would be us, who have
 * the page pinned.
 */
static const struct op last_ops[] = {
	{ .name = "close", .reach = OP_WHOLE, .flags = OP_EVICTS, .run = close_run },
	{ .name = "exit", .reach = OP_WHOLE, .flags = OP_EVICTS, .run = exit_run },
	{ .name = "munmap", .reach = OP_WHOLE, .flags = OP_EVICTS, .run = munmap_run },
};

FIXTURE(last) {
	struct trial trial;
};

FIXTURE_VARIANT(last) {
	const char *fs;
	const struct op *op;
};

FIXTURE_SETUP(last)
{
	const struct trial_spec spec = {
		.fs = variant->fs,
		.own = variant->op,
		.holder = "vmsplice",
		.pages = PAGES,
		.count = PAGES,
		.nameless = true,
	};

	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(last)
{
	trial_teardown(_metadata, &self->trial);
}

static long free_blocks(const struct trial *trial)
{
	struct statvfs st = { 0 };

	statvfs(trial->target.mount, &st);
	return st.f_bfree;
}

/* The file's blocks are most of those that can become free in its filesystem meanwhile. */
TEST_F(last, waits)
{
	struct trial *trial = &self->trial;
	long before = free_blocks(trial);
	long deadline;

	REQUIRE(return, trial_hold(trial, 1));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	ASSERT_GT(before + PAGES / 2, free_blocks(trial)) {
		TH_LOG("P8 broken: %ld blocks became free: %s", free_blocks(trial) - before,
		       trial_describe(trial));
	}
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
	/* XFS frees them later, in a worker. */
	deadline = deadline_in(DEADLINE_MS);
	while (free_blocks(trial) < before + PAGES / 2 && !deadline_over(deadline))
		deadline_pause();
	ASSERT_LE(before + PAGES / 2, free_blocks(trial)) {
		TH_LOG("P8 broken: its blocks do not become free: %s", trial_describe(trial));
	}
}

FIXTURE(killed_last) {
	struct trial trial;
};

FIXTURE_VARIANT(killed_last) {
	struct fs_op on;
};

static int setup(struct trial *trial, const char *fs, const char *op, const struct op *own)
{
	const struct trial_spec spec = {
		.fs = fs,
		.op = op,
		.own = own,
		.holder = "vmsplice",
		.pages = 4,
		.count = 4,
	};

	return trial_setup(trial, &spec);
}

FIXTURE_SETUP(killed_last)
{
	REQUIRE(return, setup(&self->trial, variant->on.fs, variant->on.op, NULL));
}

FIXTURE_TEARDOWN(killed_last)
{
	trial_teardown(_metadata, &self->trial);
}

/* What is halfway out of memory cannot come back: no signal may end the wait. */
TEST_F(killed_last, waits_on)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, trial_hold(trial, 1));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	waiter_signal(&trial->waiter, SIGKILL);
	trial->note = "and SIGKILL";
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&trial->waiter)) {
		TH_LOG("P8 broken: %s", trial_describe(trial));
	}
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(&trial->waiter)) {
		TH_LOG("P8 broken: %s", trial_describe(trial));
	}
	ASSERT_EQ(0, trial_check(trial)) {
		TH_LOG("P8 broken: after %s, killed during its wait, %s", trial->op->name, why());
	}
}

/* What can tell at once that it is not the time. */
static int umount_open_run(const struct op_target *t)
{
	return umount(t->mount) ? -errno : 0;
}

static int dax_off_open_run(const struct op_target *t)
{
	return dax_flag_set(t->fd, false);
}

static const struct {
	struct op op;
	int expected;		/* result */
} refused_ops[] = {
	{ { .name = "umount_open", .flags = OP_UNMOUNTS, .run = umount_open_run }, -EBUSY },
	{ { .name = "dax_off_open", .run = dax_off_open_run }, 0 },
};

FIXTURE(refused) {
	struct trial trial;
};

FIXTURE_VARIANT(refused) {
	const char *fs;
	const struct op *op;
	int expected;
};

FIXTURE_SETUP(refused)
{
	REQUIRE(return, setup(&self->trial, variant->fs, NULL, variant->op));
}

FIXTURE_TEARDOWN(refused)
{
	trial_teardown(_metadata, &self->trial);
}

TEST_F(refused, at_once)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, trial_hold(trial, 1));
	trial_start(trial);
	ASSERT_EQ(WAITER_DONE, waiter_observe(&trial->waiter)) {
		TH_LOG("P8 broken: %s, of a file that is open", trial_describe(trial));
	}
	ASSERT_EQ(variant->expected, waiter_result(&trial->waiter)) {
		TH_LOG("P8 broken: %s, of a file that is open", trial_describe(trial));
	}
	ASSERT_TRUE(dax_file_is_dax(&trial->file)) {
		TH_LOG("P8 broken: %s, and the file is not DAX any more", trial_describe(trial));
	}
	ASSERT_EQ(0, trial_intact(trial)) {
		TH_LOG("P8 broken: %s, and %s", trial_describe(trial), why());
	}
}

/* By its path, so that until then nobody has the file open. */
FIXTURE(dropped) {
	struct dax_file file;
	struct waiter waiter;
	struct holder holder;
};

FIXTURE_VARIANT(dropped) {
	const char *fs;
};

static int truncate_path(void *arg)
{
	const struct dax_file *file = arg;

	return truncate(file->path, 0) ? -errno : 0;
}

FIXTURE_SETUP(dropped)
{
	const struct dax_file_spec spec = { .dir = testbed_dir(variant->fs), .pages = 4 };

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
 * More than once: a dentry that has been used is spared at first, and there is a second
 * look only if the first has freed something (dentry_lru_isolate(), fs/dcache.c,
 * drop_slab(), mm/vmscan.c).
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
	ASSERT_EQ(0, call_bounded("dropping caches", drop_caches, NULL)) {
		TH_LOG("P8 broken: with a page pinned of a file that nobody has open, %s", why());
	}
	waiter_start(&self->waiter);
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&self->waiter)) {
		TH_LOG("P8 broken: %s, with page 1 pinned, its inode dropped from memory",
		       waiter_describe(&self->waiter));
	}
	holder_close(&self->holder);
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(&self->waiter)) {
		TH_LOG("P8 broken: %s, with nothing pinned", waiter_describe(&self->waiter));
	}
	ASSERT_EQ(0, waiter_result(&self->waiter)) {
		TH_LOG("P8 broken: %s", waiter_describe(&self->waiter));
	}
}

FIXTURE(syncing) {
	struct trial trial;
	struct waiter waiter;
};

FIXTURE_VARIANT(syncing) {
	struct fs_op on;
};

static int run_sync(void *arg)
{
	sync();
	return 0;
}

FIXTURE_SETUP(syncing)
{
	REQUIRE(return, waiter_fork(&self->waiter, "sync", run_sync, NULL));
	REQUIRE(return, setup(&self->trial, variant->on.fs, variant->on.op, NULL));
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
	ASSERT_BLOCKED(trial, waiter_observe);
	waiter_start(&self->waiter);
	if (waiter_observe_any(&self->waiter) == WAITER_DONE)
		RECORD(variant->on.fs, "does not hold up, while umount waits", "sync");
	else
		RECORD(variant->on.fs, "holds up, while umount waits", "sync");
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(&self->waiter)) {
		TH_LOG("P8 broken: after %s, %s", trial_describe(trial),
		       waiter_describe(&self->waiter));
	}
}

static void add_variants(const char *fs)
{
	const FIXTURE_VARIANT(dropped) drop = { fs };
	const FIXTURE_VARIANT(syncing) sync = { { fs, "umount" } };

	VARIANT_ADD(dropped, drop, "%s", fs);
	VARIANT_ADD(syncing, sync, "%s_umount", fs);
	for (size_t i = 0; i < ARRAY_SIZE(last_ops); i++) {
		const FIXTURE_VARIANT(last) data = { fs, &last_ops[i] };

		VARIANT_ADD(last, data, "%s_%s", fs, data.op->name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(refused_ops); i++) {
		const FIXTURE_VARIANT(refused) data = { fs, &refused_ops[i].op,
							refused_ops[i].expected };

		VARIANT_ADD(refused, data, "%s_%s", fs, data.op->name);
	}
}

#include "aftermath_fixture.h"

int main(int argc, char **argv)
{
	VARIANTS_OF_OPS(killed_last, OP_EVICTS, 0);
	for (const struct filesystem *fs = filesystems; fs->name; fs++)
		add_variants(fs->name);
	return dax_break_main(argc, argv);
}
