// SPDX-License-Identifier: GPL-2.0
/*
 * P1, P2, P4 and P5 on virtiofs: what takes a server that follows the orders of tests.
 *
 * Page 1 of a file of four is pinned, and then:
 *
 *	forgotten	copy_file_range(2) copies onto it, the file is opened once more, or
 *			the server truncates the file. These drop what the kernel has cached
 *			of the page, but the kernel must not forget the pin. What must be
 *			seen: when the file is evicted, which gives the page's range of the
 *			DAX window back, that waits for the pin.
 *
 * An operation has waited for page 1, and then:
 *
 *	failed		The server refuses it. What must be seen: the operation returns the
 *			server's error, nothing has changed, and the next try succeeds.
 *	answered_late	The server does it, but answers late. What must be seen: page 1
 *			cannot be faulted in, let alone pinned, before the answer, and
 *			everything completes after it.
 *
 * The final check of the program asks the server whether anything was wrong.
 *
 * FUSE breaks the layout before it asks the server, and holds invalidate_lock until the
 * server has answered: fuse_do_setattr(), fs/fuse/dir.c, fuse_open() and
 * fuse_file_fallocate(), fs/fuse/file.c.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <linux/mman.h>
#include <unistd.h>

#include "dax_break.h"
#include "deadline.h"
#include "virtiofs.h"

/* A trial, and orders to the server of its filesystem. */
struct served {
	struct trial trial;
	int orders;		/* -1: none were given */
};

static int setup(struct served *served, const struct filesystem *fs, const struct op *op,
		 const char *mapping)
{
	const struct trial_spec spec = { .on = { fs, op }, .mapping = mapping };

	served->orders = -1;
	return trial_setup(&served->trial, &spec);
}

#define ORDER(_served, ...) ({ \
	struct served *__served = (_served); \
\
	virtiofs_order(__served->trial.target.mount, &__served->orders, __VA_ARGS__); \
})

/* The server serves as usual again. */
static void end_orders(struct served *served)
{
	if (served->orders >= 0)
		close(served->orders);
	served->orders = -1;
}

static void teardown(struct __test_metadata *_metadata, struct served *served)
{
	end_orders(served);
	trial_teardown(_metadata, &served->trial);
}

/* Uses copy_file_range(2). Like the next two it affects what the kernel caches of a file. */
static int copy_onto(struct served *served)
{
	const struct dax_file_spec spec = {
		.dir = testbed_dir(served->trial.spec.on.fs),
		.pages = 4,
	};
	size_t page_size = served->trial.file.page_size;
	loff_t from = page_size, to = page_size;
	struct dax_file other;
	int rc = dax_file_create(&other, &spec);

	if (rc)
		return rc;
	if (copy_file_range(other.fd, &from, served->trial.file.fd, &to, page_size, 0) !=
	    (ssize_t)page_size)
		rc = why_set(errno, "cannot copy a page: %s", strerror(errno));
	dax_file_close(&other, false);
	return rc;
}

/* Without FOPEN_KEEP_CACHE, opening a file drops what is cached of it, unless it is dirty. */
static int open_again(struct served *served)
{
	int rc = ORDER(served, "keep_cache off");
	int fd = open(served->trial.file.path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return why_set(errno, "cannot open the file: %s", strerror(errno));
	close(fd);
	return rc;
}

static int cut_by_server(struct served *served)
{
	struct dax_file *file = &served->trial.file;
	struct statx stx;
	int rc = ORDER(served, "resize %llu %zu", (unsigned long long)file->ino, file->page_size);

	/* This is how the kernel learns of the new size. */
	if (!rc && statx(file->fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_SIZE, &stx))
		rc = why_set(errno, "cannot stat the file: %s", strerror(errno));
	return rc;
}

FIXTURE(forgotten) {
	struct served served;
};

FIXTURE_VARIANT(forgotten) {
	struct fs_op on;
	int (*touch)(struct served *served);
};

/* The mapping is read-only: only a clean page can be dropped. */
FIXTURE_SETUP(forgotten)
{
	REQUIRE(return, setup(&self->served, variant->on.fs, op_find("unlink"), "read_only"));
}

FIXTURE_TEARDOWN(forgotten)
{
	teardown(_metadata, &self->served);
}

/* P1, P2: the eviction waits for the pin. */
TEST_F(forgotten, pinned)
{
	struct trial *trial = &self->served.trial;
	struct dax_file *file = &trial->file;

	dax_file_touch(file, 1);
	REQUIRE(return, holder_hold(&trial->holder, 1, dax_file_page(file, 1), file->page_size));
	REQUIRE(return, variant->touch(&self->served));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
}

FIXTURE(failed) {
	struct served served;
};

FIXTURE_VARIANT(failed) {
	struct fs_op on;
	const char *request;	/* what FUSE asks the server for after the wait */
};

FIXTURE_SETUP(failed)
{
	REQUIRE(return, setup(&self->served, variant->on.fs, variant->on.op, NULL));
}

FIXTURE_TEARDOWN(failed)
{
	teardown(_metadata, &self->served);
}

/* P5: nothing has changed. P2: the operation returns, and so does another try. */
TEST_F(failed, by_server)
{
	struct trial *trial = &self->served.trial;

	REQUIRE(return, trial_hold(trial, 1));
	REQUIRE(return, ORDER(&self->served, "fail %s EDQUOT", variant->request));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_ENDS(P2_WAKES, &trial->waiter, "with nothing pinned");
	ASSERT_EQ(-EDQUOT, waiter_result(&trial->waiter)) {
		BROKEN(P5_LOSES_NOTHING, "%s, which the server failed", trial_describe(trial));
	}
	ASSERT_KEPT(P5_LOSES_NOTHING, trial_intact(trial), "after %s, which the server failed",
		    trial->op->name);
	end_orders(&self->served);
	trial_start(trial);
	ASSERT_DOES_NOT_WAIT(trial);
}

FIXTURE(answered_late) {
	struct served served;
	struct waiter fault;
};

FIXTURE_VARIANT(answered_late) {
	struct fs_op on;
	const char *request;
	bool gone;		/* page 1 no longer exists after the operation */
};

/* Runs in a process of its own, because a fault may wait for ever. */
static int fault_page_1(void *arg)
{
	const struct dax_file *file = arg;
	void *page = mmap(NULL, file->page_size, PROT_READ, MAP_SHARED, file->fd,
			  file->page_size);

	if (page == MAP_FAILED)
		return -errno;
	return madvise(page, file->page_size, MADV_POPULATE_READ) ? -errno : 0;
}

FIXTURE_SETUP(answered_late)
{
	REQUIRE(return, setup(&self->served, variant->on.fs, variant->on.op, NULL));
	REQUIRE(return, waiter_fork(&self->fault, "a fault", fault_page_1,
				    &self->served.trial.file));
}

/* A process that waits for the server can be killed only after the server has answered. */
FIXTURE_TEARDOWN(answered_late)
{
	end_orders(&self->served);
	waiter_end(&self->fault);
	teardown(_metadata, &self->served);
}

/* Waits until the server holds an answer back. False: it has not been asked. */
static bool is_held(int orders)
{
	long deadline = deadline_in(DEADLINE_MS);

	while (!virtiofs_state(orders).held) {
		if (deadline_over(deadline))
			return false;
		deadline_pause();
	}
	return true;
}

/* P4: the operation reaches the server. P1: the fault waits. P2, P5: both end well. */
TEST_F(answered_late, faulted_in)
{
	struct trial *trial = &self->served.trial;

	dax_file_touch(&trial->file, 1);
	REQUIRE(return, ORDER(&self->served, "hold %s", variant->request));
	trial_start(trial);
	ASSERT_TRUE(is_held(self->served.orders)) {
		BROKEN(P4_PRECISE, "%s, the server not asked", trial_describe(trial));
	}
	waiter_start(&self->fault);
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe_any(&self->fault)) {
		BROKEN(P1_WAITS, "%s, while the server has done %s, but not said so",
		       waiter_describe(&self->fault), trial->op->name);
	}
	REQUIRE(return, ORDER(&self->served, "go"));
	ASSERT_COMPLETES(trial);
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(&self->fault)) {
		BROKEN(P2_WAKES, "after %s, %s", trial->op->name, waiter_describe(&self->fault));
	}
	ASSERT_EQ(variant->gone ? -EFAULT : 0, waiter_result(&self->fault)) {
		BROKEN(P5_LOSES_NOTHING, "after %s, %s", trial->op->name,
		       waiter_describe(&self->fault));
	}
}

static void add_forgotten(const struct filesystem *fs)
{
	static const struct {
		const char *name;
		int (*touch)(struct served *served);
	} ways[] = {
		{ "copy_onto", copy_onto },
		{ "open_again", open_again },
		{ "cut_by_server", cut_by_server },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		const FIXTURE_VARIANT(forgotten) data = { .on.fs = fs, .touch = ways[i].touch };

		VARIANT_ADD_AS(forgotten, data, "%s", ways[i].name);
	}
}

/* Operations that wait, and what they ask the server for after that. */
static void add_asking(const struct filesystem *fs)
{
	static const struct {
		const char *op, *request;
		bool gone;
	} asking[] = {
		{ "truncate", "SETATTR", true },
		{ "open_trunc", "OPEN", true },
		{ "punch", "FALLOCATE", false },
		{ "zero", "FALLOCATE", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(asking); i++) {
		const FIXTURE_VARIANT(answered_late) late = {
			{ fs, op_find(asking[i].op) }, asking[i].request, asking[i].gone,
		};
		const FIXTURE_VARIANT(failed) failed = { late.on, late.request };

		VARIANT_ADD(failed, failed);
		VARIANT_ADD(answered_late, late);
	}
}

static void add_variants(void)
{
	for (struct cases c = cases_of_filesystems(FS_SERVED); cases_next(&c);) {
		add_forgotten(c.on.fs);
		add_asking(c.on.fs);
	}
}

DAX_BREAK_MAIN(.variants = add_variants)
