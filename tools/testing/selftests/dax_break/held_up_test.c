// SPDX-License-Identifier: GPL-2.0
/*
 * P3, yields: what else is held up while an operation waits for a pinned page.
 *
 * Each case pins page 1 of a file and has an operation wait for it. Meanwhile:
 *
 *	others		another process uses another file of the filesystem, or all of it
 *	dma		the system call that has pinned page 1 faults in the rest of its
 *			buffer, page 2
 *	same_file	another process uses the same file, or takes a lock that users of
 *			the file hold
 *
 * What must be seen: actions that must go on are done before the pin goes. It is recorded
 * whether the others are held up. They may be, because the operation keeps its inode locked
 * while it waits: that holds up all who need this lock, and then all who need a lock that
 * one of those holds. In the end everything must complete.
 *
 * Faults must go on, since the page may not be released before another one has been
 * faulted in. So the filesystems drop their invalidate_lock while they wait
 * (ext4_wait_dax_page(), fs/ext4/inode.c; xfs_wait_dax_page(), fs/xfs/xfs_inode.c).
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <unistd.h>

#include "call.h"
#include "dax_break.h"
#include "missing.h"

/* Something that the other process does with a file. */
struct action {
	const char *name;
	long (*run)(struct dax_file *file);	/* negative: errno says why */
	bool must;		/* must go on; the others may be held up */
	unsigned int unless;	/* but not if the filesystem has this: enum fs_feature */
};

static long do_fault(struct dax_file *file)
{
	dax_file_touch(file, 0);
	return 0;
}

static long do_stat(struct dax_file *file)
{
	struct stat st;

	return stat(file->path, &st);
}

static long do_fsync(struct dax_file *file)
{
	return fsync(file->fd);
}

static long do_msync(struct dax_file *file)
{
	return msync(file->map, file->pages * file->page_size, MS_SYNC);
}

static long do_read(struct dax_file *file)
{
	char byte;

	return pread(file->fd, &byte, 1, 0);
}

/* Writes what is there already. */
static long do_write(struct dax_file *file)
{
	return pwrite(file->fd, file->content, 1, 0);
}

static long do_fiemap(struct dax_file *file)
{
	struct fiemap fiemap = { .fm_length = FIEMAP_MAX_OFFSET };

	return ioctl(file->fd, FS_IOC_FIEMAP, &fiemap);
}

static long do_unlink(struct dax_file *file)
{
	return unlink(file->path);
}

static long do_truncate(struct dax_file *file)
{
	return ftruncate(file->fd, file->page_size);
}

static long do_punch(struct dax_file *file)
{
	return fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, file->page_size);
}

static long do_create(struct dax_file *file)
{
	char path[sizeof(file->path) + 4];
	int fd;

	snprintf(path, sizeof(path), "%s.new", file->path);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	return fd < 0 || unlink(path) ? -1 : close(fd);
}

static long do_syncfs(struct dax_file *file)
{
	return syncfs(file->fd);
}

static long do_sync(struct dax_file *file)
{
	sync();
	return 0;
}

static long do_freeze(struct dax_file *file)
{
	return ioctl(file->fd, FIFREEZE, 0) ?: ioctl(file->fd, FITHAW, 0);
}

static const struct action on_same_file[] = {
	{ "fault", do_fault, .must = true },
	{ "stat", do_stat, .must = true },
	{ "fsync", do_fsync, .must = true, .unless = FS_FSYNC_LOCKS },
	{ "msync", do_msync, .must = true, .unless = FS_FSYNC_LOCKS },
	{ "read", do_read, .must = false },
	{ "write", do_write, .must = false },
	{ "fiemap", do_fiemap, .must = false },
	{ "delete", do_unlink, .must = false },
	{ "freeze", do_freeze, .must = false },
};

static const struct action on_others[] = {
	{ "fault", do_fault, .must = true },
	{ "read", do_read, .must = true },
	{ "write", do_write, .must = true },
	{ "truncate", do_truncate, .must = true },
	{ "punch", do_punch, .must = true },
	{ "create", do_create, .must = true },
	{ "fsync", do_fsync, .must = true },
	{ "syncfs", do_syncfs, .must = true },
	{ "sync", do_sync, .must = true },
};

/* The other process is a waiter, since what it does may never end. */
struct actor {
	const struct action *action;
	struct dax_file *file;
	struct waiter waiter;
};

static int act(void *arg)
{
	struct actor *actor = arg;

	return actor->action->run(actor->file) < 0 ? -errno : 0;
}

static int actor_fork(struct actor *actor, const struct action *action, struct dax_file *file)
{
	actor->action = action;
	actor->file = file;
	return waiter_fork(&actor->waiter, action->name, act, actor);
}

static bool must_go_on(const struct action *action, const struct filesystem *fs)
{
	return action->must && !(action->unless && filesystem_has(fs, action->unless));
}

/* The actor is done, or held up; -EOPNOTSUPP: the kernel has no such action. */
static int record(const struct trial *trial, struct waiter *actor)
{
	bool done = waiter_observe_any(actor) == WAITER_DONE;
	const struct filesystem *fs = trial->spec.on.fs;
	char fact[64];

	if (done && waiter_result(actor) == -EOPNOTSUPP)
		return why_set(EOPNOTSUPP, "this kernel's %s does not have %s", fs->name,
			       actor->name);
	snprintf(fact, sizeof(fact), "%s up, while %s waits", done ? "does not hold" : "holds",
		 trial->op->name);
	RECORD(fs, fact, actor->name);
	return 0;
}

/*
 * The operation waits for page 1, the actor acts, and the page is released. @words say
 * what the actor does.
 */
static void act_meanwhile(struct __test_metadata *_metadata, struct trial *trial,
			  struct actor *actor, const char *words)
{
	struct waiter *waiter = &actor->waiter;
	const char *situation;

	REQUIRE(return, trial_hold(trial, 1));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	trial_situation(trial, words);
	situation = trial_describe(trial);
	waiter_start(waiter);
	if (must_go_on(actor->action, trial->spec.on.fs))
		ASSERT_ENDS(P3_YIELDS, waiter, situation);
	else
		REQUIRE(return, record(trial, waiter));
	ASSERT_BLOCKED(trial);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
	ASSERT_RETURNS(P3_YIELDS, 0, waiter, trial_describe(trial));
}

FIXTURE(others) {
	struct trial trial;
	struct dax_file other;
	struct actor actor;
};

FIXTURE_VARIANT(others) {
	struct fs_op on;
	const struct action *action;
};

/* The actor is forked first, so that it does not keep the file open that gets evicted. */
FIXTURE_SETUP(others)
{
	const struct dax_file_spec other = { .dir = testbed_dir(variant->on.fs), .pages = 4 };
	const struct trial_spec spec = { .on = variant->on };

	REQUIRE(return, testbed_require(variant->on.fs));
	REQUIRE(return, dax_file_create(&self->other, &other));
	REQUIRE(return, dax_file_map(&self->other, "shared", DAX_PTE));
	REQUIRE(return, actor_fork(&self->actor, variant->action, &self->other));
	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(others)
{
	trial_teardown(_metadata, &self->trial);
	dax_file_close(&self->other, !waiter_end(&self->actor.waiter));
}

TEST_F(others, meanwhile)
{
	act_meanwhile(_metadata, &self->trial, &self->actor,
		      "while another process uses another file");
}

/*
 * vmsplice(2) of three pages: page 1, one that is missing, and page 2. When it reaches the
 * missing one, it has already put page 1 into the pipe (iter_to_pipe(), fs/splice.c). When
 * the test provides that page, with the operation waiting, vmsplice() faults page 2 in.
 *
 * O_DIRECT would not do: one I/O must not mix the two kinds of pages, so the kernel would
 * finish the I/O of page 1 first.
 */
struct filling {
	int pipe[2];
	struct iovec iov[3];
};

FIXTURE(dma) {
	struct trial trial;
	struct missing missing;
	struct filling filling;
	struct call call;
};

FIXTURE_VARIANT_ON(dma);

static ssize_t fill_pipe(void *arg)
{
	const struct filling *filling = arg;

	return vmsplice(filling->pipe[1], filling->iov, ARRAY_SIZE(filling->iov), 0);
}

FIXTURE_SETUP(dma)
{
	const struct trial_spec spec = { .on = variant->on, .holder = HOLDER_NONE };
	struct dax_file *file = &self->trial.file;
	struct iovec *iov = self->filling.iov;
	int rc;

	REQUIRE(return, trial_setup(&self->trial, &spec));
	/* Only now, so that the trial's process does not inherit it. */
	rc = missing_open(&self->missing, 1);
	if (rc)
		trial_end(&self->trial);
	REQUIRE(return, rc);
	ASSERT_EQ(0, pipe2(self->filling.pipe, O_CLOEXEC));
	iov[0] = (struct iovec){ dax_file_page(file, 1), file->page_size };
	iov[1] = (struct iovec){ missing_page(&self->missing, 0), file->page_size };
	iov[2] = (struct iovec){ dax_file_page(file, 2), file->page_size };
}

static void close_pipe(struct filling *filling)
{
	for (int i = 0; i < 2; i++) {
		if (filling->pipe[i] >= 0)
			close(filling->pipe[i]);
		filling->pipe[i] = -1;
	}
}

/*
 * The waiter ends first: it may hold up the fault, and the fault holds up the closing of
 * the pipe.
 */
FIXTURE_TEARDOWN(dma)
{
	waiter_end(&self->trial.waiter);
	missing_end(&self->missing);
	close_pipe(&self->filling);
	trial_teardown(_metadata, &self->trial);
	if (!call_end(&self->call))
		missing_close(&self->missing);
}

TEST_F(dma, faults_during_wait)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, call_start(&self->call, "vmsplice", fill_pipe, &self->filling));
	REQUIRE(return, missing_wait(&self->missing, 0));
	trial_start(trial);
	trial_situation(trial, "but page 1 by vmsplice");
	ASSERT_BLOCKED(trial);
	REQUIRE(return, missing_provide(&self->missing, 0, 0));
	ASSERT_EQ(0, call_end(&self->call)) {
		BROKEN(P3_YIELDS, "%s that has to fault page 2 in, while %s", why(),
		       trial_describe(trial));
	}
	REQUIRE(return, call_check(&self->call, 3 * trial->file.page_size));
	ASSERT_BLOCKED(trial);
	close_pipe(&self->filling);
	trial_situation(trial, NULL);
	ASSERT_COMPLETES(trial);
}

/*
 * These tests come last: if a kernel never ends the wait, "delete" leaves the directory
 * locked for good, and "freeze" leaves the filesystem frozen, so that nobody can create a
 * file any more.
 */
FIXTURE(same_file) {
	struct trial trial;
	struct actor actor;
};

FIXTURE_VARIANT(same_file) {
	struct fs_op on;
	const struct action *action;
};

FIXTURE_SETUP(same_file)
{
	const struct trial_spec spec = { .on = variant->on };

	REQUIRE(return, trial_setup(&self->trial, &spec));
	REQUIRE(return, actor_fork(&self->actor, variant->action, &self->trial.file));
}

FIXTURE_TEARDOWN(same_file)
{
	waiter_end(&self->actor.waiter);
	/* If the actor was killed before it thawed the filesystem, that is still frozen. */
	ioctl(self->trial.file.fd, FITHAW, 0);
	trial_teardown(_metadata, &self->trial);
}

/* A short timeout: if the setup cannot create the file, there is no use in waiting. */
TEST_F_TIMEOUT(same_file, meanwhile, 15)
{
	act_meanwhile(_metadata, &self->trial, &self->actor,
		      "while another process uses the file");
}

static void add_variants(void)
{
	for (struct cases c = cases_of_ops(0, OP_SAMPLE, 0); cases_next(&c);)
		for (size_t i = 0; i < ARRAY_SIZE(on_others); i++) {
			const FIXTURE_VARIANT(others) data = { c.on, &on_others[i] };

			VARIANT_ADD_AS(others, data, "%s", data.action->name);
		}
	/*
	 * Those that free any range of bytes through a descriptor. There is no need for
	 * others: all operations of a filesystem wait in the same function.
	 */
	VARIANTS_OF_OPS(dma, 0, OP_BYTES | OP_FREES, OP_BY_PATH);
	for (struct cases c = cases_of_ops(0, OP_SAMPLE, OP_EVICTS); cases_next(&c);)
		for (size_t i = 0; i < ARRAY_SIZE(on_same_file); i++) {
			const FIXTURE_VARIANT(same_file) data = { c.on, &on_same_file[i] };

			VARIANT_ADD_AS(same_file, data, "%s", data.action->name);
		}
}

DAX_BREAK_MAIN(.variants = add_variants)
