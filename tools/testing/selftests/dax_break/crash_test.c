// SPDX-License-Identifier: GPL-2.0
/*
 * P5, P8 and P9, where the kernel may not survive the answer: extents that are shared,
 * mapped by a PMD here and by PTEs there.
 *
 * Each case has a file of one PMD and a clone of it:
 *
 *	file	|------------------ PMD -------------------|
 *		|  |PTE|   through another mapping
 *	clone	|PTE|
 *
 * and touches pages of them by loads, in ways that any user who may read the files can.
 * Seen must be: every load succeeds; operations on the files return, and the kernel
 * stays quiet.
 *
 * dax_insert_entry() and dax_associate_entry(), fs/dax.c: one folio of a PMD's size, and
 * the small ones that it is made of, cannot both be what the files' mappings refer to.
 *
 * On a machine that is needed for anything else these tests are skipped, unless
 * DAX_BREAK_DESTRUCTIVE=1 is set. run_tests.sh gives each of them a guest of its own.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "consent.h"
#include "dax_break.h"
#include "op/run.h"

FIXTURE(crash) {
	struct trial trial;		/* clones the file to its peer */
	struct waiter write;		/* to a page of the file */
	struct waiter remove[2];	/* the file, and the peer */
	int pipe[2];			/* to read pages into */
};

FIXTURE_VARIANT(crash) {
	const char *fs;
};

FIXTURE_VARIANT_ADD(crash, xfs) { "xfs" };

static int unlink_and_close(void *arg)
{
	struct dax_file *file = arg;
	const struct op_target target = { .fd = file->fd, .path = file->path };

	return unlink_run(&target);
}

/* Of a PMD, to be written to: not the first one, which all pins are counted on. */
static unsigned int tail_page(const struct dax_file *file)
{
	return file->pages - 3;
}

static int write_byte(void *arg)
{
	const struct dax_file *file = arg;

	return pwrite(file->fd, "x", 1, tail_page(file) * file->page_size) == 1 ? 0 : -errno;
}

/* Everything that comes before the first page is mapped. */
static int prepare(struct trial *trial, struct waiter *write, struct waiter remove[2])
{
	trial_start(trial);
	if (waiter_observe_end(&trial->waiter) != WAITER_DONE || waiter_result(&trial->waiter))
		return why_set(EIO, "%s", trial_describe(trial));
	/* It has the files open. */
	waiter_end(&trial->waiter);
	dax_file_unmap(&trial->file);
	return waiter_fork(write, "write", write_byte, &trial->file) ?:
	       waiter_fork(&remove[0], "unlink", unlink_and_close, &trial->file) ?:
	       waiter_fork(&remove[1], "unlink of the clone", unlink_and_close, &trial->peer);
}

FIXTURE_SETUP(crash)
{
	const struct trial_spec spec = {
		.fs = variant->fs,
		.op = "clone_from",
		.holder = "vmsplice",
		.pages = dax_file_pmd_pages(),
	};

	REQUIRE(return, consent_to_crash());
	if (!spec.pages)
		SKIP(return, DAX_FILE_NO_PMD);
	ASSERT_EQ(0, pipe(self->pipe));
	REQUIRE(return, trial_setup(&self->trial, &spec));
	REQUIRE(return, prepare(&self->trial, &self->write, self->remove));
	REQUIRE(return, dax_file_map(&self->trial.file, "shared", DAX_PMD));
	REQUIRE(return, dax_file_map(&self->trial.peer, "shared", DAX_PTE));
}

FIXTURE_TEARDOWN(crash)
{
	holder_close(&self->trial.holder);
	waiter_end(&self->write);
	for (size_t i = 0; i < ARRAY_SIZE(self->remove); i++)
		waiter_end(&self->remove[i]);
	trial_teardown(_metadata, &self->trial);
}

/* Has the kernel load a byte, so that it is an error code where we would get SIGBUS. */
static int load(const int pipe[2], const void *addr)
{
	char byte;

	if (write(pipe[1], addr, 1) != 1)
		return -errno;
	return read(pipe[0], &byte, 1) == 1 ? 0 : -errno;
}

/* P5: the load succeeds. */
static void expect_load(struct __test_metadata *_metadata, const int pipe[2], const void *addr,
			const char *from)
{
	int rc = load(pipe, addr);

	ASSERT_EQ(0, rc) {
		TH_LOG("P5 broken: a load from %s fails: %s", from, strerror(-rc));
	}
}

/* The same, by a PMD: or there is nothing to see here. */
static void expect_load_by_pmd(struct __test_metadata *_metadata, const int pipe[2],
			       const struct dax_file *file)
{
	expect_load(_metadata, pipe, dax_file_page(file, 0), "the file");
	if (!dax_file_page_is_pmd(file, 0))
		SKIP(return, DAX_FILE_NO_PMD_HERE);
}

/* P8: both files go, with nothing mapped or pinned any more. */
static void expect_removal(struct __test_metadata *_metadata, struct trial *trial,
			   struct waiter remove[2])
{
	dax_file_let_go(&trial->file);
	dax_file_let_go(&trial->peer);
	for (unsigned int i = 0; i < 2; i++) {
		waiter_start(&remove[i]);
		ASSERT_EQ(WAITER_DONE, waiter_observe_end(&remove[i])) {
			TH_LOG("P8 broken: %s, with nothing pinned", waiter_describe(&remove[i]));
		}
	}
}

/* The same file, once by a PMD, and once a page of it by a PTE. */
TEST_F(crash, pmd_then_pte)
{
	struct dax_file *file = &self->trial.file;
	unsigned int page = file->pages / 2;
	char *other;

	expect_load_by_pmd(_metadata, self->pipe, file);
	other = mmap(NULL, file->page_size, PROT_READ, MAP_SHARED, file->fd,
		     page * file->page_size);
	ASSERT_NE(MAP_FAILED, other);
	expect_load(_metadata, self->pipe, other, "another mapping of the file");
	munmap(other, file->page_size);
	expect_removal(_metadata, &self->trial, self->remove);
}

/* The clone's first page by a PTE, then all of the file by a PMD. */
TEST_F(crash, first_page_of_clone_then_pmd)
{
	expect_load(_metadata, self->pipe, dax_file_page(&self->trial.peer, 0), "the clone");
	expect_load_by_pmd(_metadata, self->pipe, &self->trial.file);
	expect_removal(_metadata, &self->trial, self->remove);
}

/* Another one of its pages, which will be in the middle of the file's PMD. */
TEST_F(crash, other_page_of_clone_then_pmd)
{
	expect_load(_metadata, self->pipe, dax_file_page(&self->trial.peer, 5), "the clone");
	expect_load_by_pmd(_metadata, self->pipe, &self->trial.file);
	expect_removal(_metadata, &self->trial, self->remove);
}

/*
 * A page of a PMD is pinned, and written to. That may wait until it is pinned no more; else
 * what is pinned is the clone's alone.
 */
TEST_F(crash, cow_of_pinned_pmd)
{
	struct trial *trial = &self->trial;
	struct dax_file *file = &trial->file;
	unsigned int page = tail_page(file);
	bool filled;
	__u64 word;

	expect_load_by_pmd(_metadata, self->pipe, file);
	REQUIRE(return, holder_hold(&trial->holder, page, dax_file_page(file, page),
				    file->page_size));
	waiter_start(&self->write);
	waiter_observe(&self->write);
	REQUIRE(return, holder_release(&trial->holder, page, &filled, &word));
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(&self->write)) {
		TH_LOG("P2 broken: %s, with nothing pinned", waiter_describe(&self->write));
	}
	ASSERT_EQ(0, waiter_result(&self->write));
	waiter_end(&self->write);	/* it has the file open */
	expect_removal(_metadata, trial, self->remove);
}

int main(int argc, char **argv)
{
	return dax_break_main(argc, argv);
}
