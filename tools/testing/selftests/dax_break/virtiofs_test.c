// SPDX-License-Identifier: GPL-2.0
/*
 * P1, P3 and P5 on virtiofs, as far as it takes a server that does as it is told.
 *
 * What others do to a page that is pinned, page 1 of a file of four:
 *
 *	forgotten	it is copied onto by copy_file_range(2), the file is opened once
 *			more, or its server cuts it off. Whatever that does to what the kernel
 *			has cached of the page, it must not forget the pin: the eviction of
 *			the file gives the page's range of the window back, and has to wait
 *
 * What the server does to an operation that has waited for page 1:
 *
 *	failed		it does not do it. Seen must be: the operation returns the
 *			server's error, and nothing has changed; and it works the next time
 *	answered_late	it does it, but says so late. Seen must be: nobody can fault page 1 in
 *			meanwhile, let alone pin it; and all is done once it has answered
 *
 * What the server sees of all this is checked at the end, by aftermath.
 *
 * FUSE breaks layouts before it asks the server, and keeps its invalidate_lock until
 * that has answered: fuse_do_setattr(), fs/fuse/dir.c, fuse_open() and
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

#define FS	"virtiofs"

static int setup(struct trial *trial, const char *op, const char *mapping)
{
	const struct trial_spec spec = {
		.fs = FS,
		.op = op,
		.holder = "vmsplice",
		.pages = 4,
		.first = 1,
		.count = 2,
		.mapping = mapping,
	};

	return trial_setup(trial, &spec);
}

/* A FIXTURE of nothing but these. */
struct served {
	struct trial trial;
	int orders;		/* -1: none were given */
};

static void teardown(struct __test_metadata *_metadata, struct served *served)
{
	if (served->orders >= 0)
		close(served->orders);
	trial_teardown(_metadata, &served->trial);
}

#define ORDER(_served, ...) \
	virtiofs_order(testbed_mount(FS), &(_served)->orders, __VA_ARGS__)

/* Ways to touch what the kernel has cached of a file. */
static int copy_onto(struct served *served)
{
	const struct dax_file_spec spec = { .dir = testbed_dir(FS), .pages = 4 };
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

/* Without FOPEN_KEEP_CACHE what is cached is invalidated, unless it is dirty. */
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

	/* This is how the kernel learns of it. */
	if (!rc && statx(file->fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_SIZE, &stx))
		rc = why_set(errno, "cannot stat the file: %s", strerror(errno));
	return rc;
}

FIXTURE(forgotten) {
	struct served served;
};

FIXTURE_VARIANT(forgotten) {
	int (*touch)(struct served *served);
};

FIXTURE_VARIANT_ADD(forgotten, virtiofs_copy_onto) { copy_onto };
FIXTURE_VARIANT_ADD(forgotten, virtiofs_open_again) { open_again };
FIXTURE_VARIANT_ADD(forgotten, virtiofs_cut_by_server) { cut_by_server };

/* Read-only: the page has to be clean to be invalidated. */
FIXTURE_SETUP(forgotten)
{
	self->served.orders = -1;
	REQUIRE(return, setup(&self->served.trial, "unlink", "read_only"));
}

FIXTURE_TEARDOWN(forgotten)
{
	teardown(_metadata, &self->served);
}

TEST_F(forgotten, pinned)
{
	struct trial *trial = &self->served.trial;
	struct dax_file *file = &trial->file;

	dax_file_touch(file, 1);
	REQUIRE(return, holder_hold(&trial->holder, 1, dax_file_page(file, 1), file->page_size));
	REQUIRE(return, variant->touch(&self->served));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
}

FIXTURE(failed) {
	struct served served;
};

/* Operations that wait, and what they ask the server for after that. */
FIXTURE_VARIANT(failed) {
	const char *op, *request;
};

FIXTURE_VARIANT_ADD(failed, virtiofs_truncate) { "truncate", "SETATTR" };
FIXTURE_VARIANT_ADD(failed, virtiofs_open_trunc) { "open_trunc", "OPEN" };
FIXTURE_VARIANT_ADD(failed, virtiofs_punch) { "punch", "FALLOCATE" };
FIXTURE_VARIANT_ADD(failed, virtiofs_zero) { "zero", "FALLOCATE" };

FIXTURE_SETUP(failed)
{
	self->served.orders = -1;
	REQUIRE(return, setup(&self->served.trial, variant->op, NULL));
}

FIXTURE_TEARDOWN(failed)
{
	teardown(_metadata, &self->served);
}

TEST_F(failed, by_server)
{
	struct trial *trial = &self->served.trial;

	REQUIRE(return, trial_hold(trial, 1));
	REQUIRE(return, ORDER(&self->served, "fail %s EDQUOT", variant->request));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(&trial->waiter)) {
		TH_LOG("P2 broken: %s", trial_describe(trial));
	}
	ASSERT_EQ(-EDQUOT, waiter_result(&trial->waiter)) {
		TH_LOG("P5 broken: %s, which the server failed", trial_describe(trial));
	}
	ASSERT_EQ(0, trial_intact(trial)) {
		TH_LOG("P5 broken: after %s, which the server failed, %s", trial->op->name, why());
	}
	close(self->served.orders);
	self->served.orders = -1;
	trial_start(trial);
	ASSERT_DOES_NOT_WAIT(trial);
}

FIXTURE(answered_late) {
	struct served served;
	struct waiter fault;
};

FIXTURE_VARIANT(answered_late) {
	const char *op, *request;
	bool gone;		/* page 1 is, after it */
};

FIXTURE_VARIANT_ADD(answered_late, virtiofs_truncate) { "truncate", "SETATTR", true };
FIXTURE_VARIANT_ADD(answered_late, virtiofs_open_trunc) { "open_trunc", "OPEN", true };
FIXTURE_VARIANT_ADD(answered_late, virtiofs_punch) { "punch", "FALLOCATE", false };
FIXTURE_VARIANT_ADD(answered_late, virtiofs_zero) { "zero", "FALLOCATE", false };

/* In a process of its own, as a fault may wait for ever. */
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
	self->served.orders = -1;
	REQUIRE(return, setup(&self->served.trial, variant->op, NULL));
	REQUIRE(return, waiter_fork(&self->fault, "a fault", fault_page_1,
				    &self->served.trial.file));
}

/* What waits for the server cannot be killed before that has answered. */
FIXTURE_TEARDOWN(answered_late)
{
	if (self->served.orders >= 0)
		close(self->served.orders);
	self->served.orders = -1;
	waiter_end(&self->fault);
	teardown(_metadata, &self->served);
}

static bool is_held(int orders)
{
	long deadline = deadline_in(DEADLINE_MS);

	while (!virtiofs_held(orders)) {
		if (deadline_over(deadline))
			return false;
		deadline_pause();
	}
	return true;
}

TEST_F(answered_late, faulted_in)
{
	struct trial *trial = &self->served.trial;

	dax_file_touch(&trial->file, 1);
	REQUIRE(return, ORDER(&self->served, "hold %s", variant->request));
	trial_start(trial);
	ASSERT_TRUE(is_held(self->served.orders)) {
		TH_LOG("P4 broken: %s, the server not asked", trial_describe(trial));
	}
	waiter_start(&self->fault);
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe_any(&self->fault)) {
		TH_LOG("P1 broken: %s, while the server has done %s, but not said so",
		       waiter_describe(&self->fault), trial->op->name);
	}
	REQUIRE(return, ORDER(&self->served, "go"));
	ASSERT_COMPLETES(trial);
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(&self->fault)) {
		TH_LOG("P2 broken: after %s, %s", trial->op->name, waiter_describe(&self->fault));
	}
	ASSERT_EQ(variant->gone ? -EFAULT : 0, waiter_result(&self->fault)) {
		TH_LOG("P5 broken: after %s, %s", trial->op->name, waiter_describe(&self->fault));
	}
}

#include "aftermath_fixture.h"

int main(int argc, char **argv)
{
	return dax_break_main(argc, argv);
}
