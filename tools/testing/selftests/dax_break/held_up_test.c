// SPDX-License-Identifier: GPL-2.0
/*
 * P3, yields: who else is held up while an operation waits for pinned pages.
 *
 * Each case pins page 1 of a file, has an operation wait for it, and then does something
 * else in another process:
 *
 *	others		something with other files of that filesystem, or with all of it
 *	dma		nothing else: the request that pins page 1 has not yet faulted in the
 *			rest of its buffer, page 2
 *	same_file	something with the same file, and what needs a lock of whoever uses it
 *
 * What must go on has to be done before the pin goes. The rest may wait, and what does is
 * recorded: the operation keeps its inode locked, so whoever needs that lock is
 * held up, and whoever needs a lock that he keeps. In the end everything must complete.
 *
 * A fault goes on because the filesystems drop their invalidate_lock while they wait
 * (ext4_wait_dax_page(), fs/ext4/inode.c; xfs_wait_dax_page(), fs/xfs/xfs_inode.c):
 * else whoever is waited for would wait for the waiter.
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

static int setup(struct trial *trial, const char *fs, const char *op, const char *holder)
{
	const struct trial_spec spec = {
		.fs = fs,
		.op = op,
		.holder = holder,
	};

	return trial_setup(trial, &spec);
}

/* What somebody does with @file: 0 or a negative errno. */
struct action {
	const char *name;
	enum {
		MAY,
		MUST,
		MUST_UNLESS_LOCKED,	/* as struct filesystem's fsync_locks says */
	} go_on;
	int (*run)(struct dax_file *file);
};

static int outcome(long rc)
{
	return rc < 0 ? -errno : 0;
}

static int do_fault(struct dax_file *file)
{
	dax_file_touch(file, 0);
	return 0;
}

static int do_stat(struct dax_file *file)
{
	struct stat st;

	return outcome(stat(file->path, &st));
}

static int do_fsync(struct dax_file *file)
{
	return outcome(fsync(file->fd));
}

static int do_msync(struct dax_file *file)
{
	return outcome(msync(file->map, file->pages * file->page_size, MS_SYNC));
}

static int do_read(struct dax_file *file)
{
	char byte;

	return outcome(pread(file->fd, &byte, 1, 0));
}

static int do_write(struct dax_file *file)
{
	char byte = *(char *)file->content;

	return outcome(pwrite(file->fd, &byte, 1, 0));
}

static int do_fiemap(struct dax_file *file)
{
	struct fiemap fiemap = { .fm_length = FIEMAP_MAX_OFFSET };

	return outcome(ioctl(file->fd, FS_IOC_FIEMAP, &fiemap));
}

static int do_unlink(struct dax_file *file)
{
	return outcome(unlink(file->path));
}

static int do_truncate(struct dax_file *file)
{
	return outcome(ftruncate(file->fd, file->page_size));
}

static int do_punch(struct dax_file *file)
{
	return outcome(fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				 file->page_size));
}

static int do_create(struct dax_file *file)
{
	char path[sizeof(file->path) + 4];
	int fd;

	snprintf(path, sizeof(path), "%s.new", file->path);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	return outcome(fd) ?: outcome(unlink(path)) ?: outcome(close(fd));
}

static int do_syncfs(struct dax_file *file)
{
	return outcome(syncfs(file->fd));
}

static int do_sync(struct dax_file *file)
{
	sync();
	return 0;
}

static int do_freeze(struct dax_file *file)
{
	return outcome(ioctl(file->fd, FIFREEZE, 0)) ?: outcome(ioctl(file->fd, FITHAW, 0));
}

static const struct action on_same_file[] = {
	{ "fault", MUST, do_fault },
	{ "stat", MUST, do_stat },
	{ "fsync", MUST_UNLESS_LOCKED, do_fsync },
	{ "msync", MUST_UNLESS_LOCKED, do_msync },
	{ "read", MAY, do_read },
	{ "write", MAY, do_write },
	{ "fiemap", MAY, do_fiemap },
	{ "delete", MAY, do_unlink },
	{ "freeze", MAY, do_freeze },
};

static const struct action on_others[] = {
	{ "fault", MUST, do_fault },
	{ "read", MUST, do_read },
	{ "write", MUST, do_write },
	{ "truncate", MUST, do_truncate },
	{ "punch", MUST, do_punch },
	{ "create", MUST, do_create },
	{ "fsync", MUST, do_fsync },
	{ "syncfs", MUST, do_syncfs },
	{ "sync", MUST, do_sync },
};

/* Somebody else, as a waiter: what he does may never end. */
struct actor {
	const struct action *action;
	struct dax_file *file;
	struct waiter waiter;
};

static int act(void *arg)
{
	struct actor *actor = arg;

	return actor->action->run(actor->file);
}

static int actor_fork(struct actor *actor, const struct action *action, struct dax_file *file)
{
	actor->action = action;
	actor->file = file;
	return waiter_fork(&actor->waiter, action->name, act, actor);
}

/* The operation waits for page 1, the actor acts, the page is released. */
static void act_meanwhile(struct __test_metadata *_metadata, struct trial *trial,
			  struct actor *actor, const char *whose)
{
	struct waiter *waiter = &actor->waiter;
	bool must = actor->action->go_on == MUST ||
		    (actor->action->go_on == MUST_UNLESS_LOCKED &&
		     !filesystem_find(trial->spec.fs)->fsync_locks);

	REQUIRE(return, trial_hold(trial, 1));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	waiter_start(waiter);
	if (must) {
		ASSERT_EQ(WAITER_DONE, waiter_observe_end(waiter)) {
			TH_LOG("P3 broken: %s of %s is held up: %s, while %s", waiter->name, whose,
			       waiter_describe(waiter), trial_describe(trial));
		}
	} else {
		bool done = waiter_observe_any(waiter) == WAITER_DONE;
		char fact[64];

		if (done && waiter_result(waiter) == -EOPNOTSUPP)
			SKIP(return, "this kernel's %s does not have %s", trial->spec.fs,
			     waiter->name);
		snprintf(fact, sizeof(fact), "%s up, while %s waits",
			 done ? "does not hold" : "holds", trial->op->name);
		RECORD(trial->spec.fs, fact, waiter->name);
	}
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(waiter)) {
		TH_LOG("P3 broken: %s of %s stays held up after %s: %s", waiter->name, whose,
		       trial_describe(trial), waiter_describe(waiter));
	}
	ASSERT_EQ(0, waiter_result(waiter)) {
		TH_LOG("P3 broken: %s of %s, begun while %s waited: %s", waiter->name, whose,
		       trial->op->name, waiter_describe(waiter));
	}
}

FIXTURE(others) {
	struct trial trial;
	struct dax_file other;
	struct actor actor;
};

FIXTURE_VARIANT(others) {
	const char *fs, *op;
	const struct action *action;
};

/* The actor first: it must not keep the file open that is to be evicted. */
FIXTURE_SETUP(others)
{
	const struct dax_file_spec spec = { .dir = testbed_dir(variant->fs), .pages = 4 };

	REQUIRE(return, dax_file_create(&self->other, &spec));
	REQUIRE(return, dax_file_map(&self->other, "shared", DAX_PTE));
	REQUIRE(return, actor_fork(&self->actor, variant->action, &self->other));
	REQUIRE(return, setup(&self->trial, variant->fs, variant->op, "vmsplice"));
}

FIXTURE_TEARDOWN(others)
{
	bool gone;

	trial_teardown(_metadata, &self->trial);
	gone = waiter_end(&self->actor.waiter);
	dax_file_close(&self->other, !gone);
}

TEST_F(others, meanwhile)
{
	act_meanwhile(_metadata, &self->trial, &self->actor, "another file");
}

/*
 * vmsplice(2) of page 1, of a page that is missing, and of page 2. It has put page 1 into
 * the pipe when it comes to the missing one (iter_to_pipe(), fs/splice.c), and faults page
 * 2 in once that is provided, the operation waiting. (O_DIRECT does not do for this: since
 * it must not mix pages of the two kinds, it ends the I/O of page 1 first.)
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

FIXTURE_VARIANT(dma) {
	struct fs_op on;
};

static ssize_t fill_pipe(void *arg)
{
	const struct filling *filling = arg;

	return vmsplice(filling->pipe[1], filling->iov, ARRAY_SIZE(filling->iov), 0);
}

FIXTURE_SETUP(dma)
{
	struct dax_file *file = &self->trial.file;
	struct iovec *iov = self->filling.iov;

	self->missing.uffd = -1;
	self->filling.pipe[0] = -1;
	self->filling.pipe[1] = -1;
	REQUIRE(return, setup(&self->trial, variant->on.fs, variant->on.op, NULL));
	REQUIRE(return, missing_open(&self->missing, 1));
	ASSERT_EQ(0, pipe2(self->filling.pipe, O_CLOEXEC));
	iov[0] = (struct iovec){ dax_file_page(file, 1), file->page_size };
	iov[1] = (struct iovec){ missing_page(&self->missing, 0), file->page_size };
	iov[2] = (struct iovec){ dax_file_page(file, 2), file->page_size };
}

/* The waiter first: it may hold up the fault, which holds up the closing of the pipe. */
FIXTURE_TEARDOWN(dma)
{
	waiter_end(&self->trial.waiter);
	missing_end(&self->missing);
	for (int i = 0; i < 2; i++)
		if (self->filling.pipe[i] >= 0)
			close(self->filling.pipe[i]);
	trial_teardown(_metadata, &self->trial);
	if (!call_end(&self->call))
		missing_close(&self->missing);
}

TEST_F(dma, faults_during_wait)
{
	struct trial *trial = &self->trial;
	int *pipe = self->filling.pipe;

	REQUIRE(return, call_start(&self->call, "vmsplice", fill_pipe, &self->filling));
	REQUIRE(return, missing_wait(&self->missing, 0));
	trial_start(trial);
	trial->note = "but page 1 by vmsplice";
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, missing_provide(&self->missing, 0, 0));
	ASSERT_EQ(0, call_end(&self->call)) {
		TH_LOG("P3 broken: %s that has to fault page 2 in, while %s", why(),
		       trial_describe(trial));
	}
	REQUIRE(return, call_check(&self->call, 3 * trial->file.page_size));
	ASSERT_BLOCKED(trial, waiter_observe);
	for (int i = 0; i < 2; i++) {
		close(pipe[i]);
		pipe[i] = -1;
	}
	trial->note = NULL;
	ASSERT_COMPLETES(trial);
}

/*
 * Last, because on a kernel that never ends the wait, "delete" keeps the directory locked
 * for good, and "freeze" the filesystem: nobody can create a file any more.
 */
FIXTURE(same_file) {
	struct trial trial;
	struct actor actor;
};

FIXTURE_VARIANT(same_file) {
	const char *fs, *op;
	const struct action *action;
};

FIXTURE_SETUP(same_file)
{
	REQUIRE(return, setup(&self->trial, variant->fs, variant->op, "vmsplice"));
	REQUIRE(return, actor_fork(&self->actor, variant->action, &self->trial.file));
}

FIXTURE_TEARDOWN(same_file)
{
	waiter_end(&self->actor.waiter);
	/* Killed in between, it has left the filesystem frozen. */
	ioctl(self->trial.file.fd, FITHAW, 0);
	trial_teardown(_metadata, &self->trial);
}

/* Whoever can create no file any more has nothing to wait for. */
TEST_F_TIMEOUT(same_file, meanwhile, 15)
{
	act_meanwhile(_metadata, &self->trial, &self->actor, "the file");
}

static void add_actions(const char *fs)
{
	/* All operations of a filesystem wait in the same function. */
	static const char *const ranges[] = { "truncate", "punch" };
	/* One that keeps the file, and one that takes the inode out of memory. */
	static const char *const waiting[] = { "punch", "unlink" };

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		const FIXTURE_VARIANT(dma) data = { { fs, ranges[i] } };

		VARIANT_ADD(dma, data, "%s_%s", fs, ranges[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(on_same_file); i++) {
		const FIXTURE_VARIANT(same_file) data = { fs, "punch", &on_same_file[i] };

		VARIANT_ADD(same_file, data, "%s_punch_%s", fs, data.action->name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
		for (size_t j = 0; j < ARRAY_SIZE(on_others); j++) {
			const FIXTURE_VARIANT(others) data = { fs, waiting[i], &on_others[j] };

			VARIANT_ADD(others, data, "%s_%s_%s", fs, waiting[i], data.action->name);
		}
}

#include "aftermath_fixture.h"

int main(int argc, char **argv)
{
	for (const struct filesystem *fs = filesystems; fs->name; fs++)
		add_actions(fs->name);
	return dax_break_main(argc, argv);
}
