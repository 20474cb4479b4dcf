// SPDX-License-Identifier: GPL-2.0
/*
 * P5, P8 and P9 of shared extents that a PMD maps in one place and PTEs map in another. The
 * kernel may crash.
 *
 * Each case has a file of one PMD and a clone of it:
 *
 *	file	|------------------ PMD -------------------|
 *		|  |PTE|   through another mapping
 *	clone	|PTE|
 *
 * The case loads from pages of both, in ways that are open to any user who may read the
 * files; in one case a page is pinned and then written to. Then both files are deleted.
 *
 * What must be seen: every load succeeds, operations on the files return once nothing is
 * pinned, and the kernel stays quiet.
 *
 * dax_insert_entry() and dax_associate_entry(), fs/dax.c: a page belongs either to one
 * folio of a PMD's size or to a small folio of its own, so the mappings of the two files
 * cannot refer to both.
 *
 * These tests take DAX_BREAK_DESTRUCTIVE=1: see README.rst.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "dax_break.h"

FIXTURE(crash) {
	struct trial trial;		/* clones the file to its peer */
	struct waiter write;		/* to a page of the file */
	struct waiter remove[2];	/* the file, and the peer */
	int pipe[2];			/* to read pages into */
};

FIXTURE_VARIANT_ON(crash);

static int unlink_and_close(void *arg)
{
	struct dax_file *file = arg;
	const struct op_target target = { .fd = file->fd, .path = file->path };

	return op_run(op_find("unlink"), &target);
}

/* The page to write to. On the first one of the PMD the kernel counts the pins of all. */
static unsigned int tail_page(const struct dax_file *file)
{
	return file->pages - 3;
}

static int write_byte(void *arg)
{
	const struct dax_file *file = arg;

	return pwrite(file->fd, "x", 1, tail_page(file) * file->page_size) == 1 ? 0 : -errno;
}

/* Clones the file and forks the waiters, which must be done before a page is mapped. */
static int prepare(struct trial *trial, struct waiter *write, struct waiter remove[2])
{
	trial_start(trial);
	if (waiter_observe_end(&trial->waiter) != WAITER_DONE || waiter_result(&trial->waiter))
		return why_set(EIO, "%s", trial_describe(trial));
	/* This waiter has the files open. */
	waiter_end(&trial->waiter);
	dax_file_unmap(&trial->file);
	return waiter_fork(write, "write", write_byte, &trial->file) ?:
	       waiter_fork(&remove[0], "unlink", unlink_and_close, &trial->file) ?:
	       waiter_fork(&remove[1], "unlink of the clone", unlink_and_close, &trial->peer);
}

FIXTURE_SETUP(crash)
{
	const struct trial_spec spec = {
		.on = { variant->on.fs, op_find("clone_from") },
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

/* Has the kernel load a byte, so that a failure is an error code and not a SIGBUS. */
static int load(const int pipe[2], const void *addr)
{
	char byte;

	if (write(pipe[1], addr, 1) != 1)
		return why_set(errno, "%s", strerror(errno));
	return read(pipe[0], &byte, 1) == 1 ? 0 : why_set(errno, "%s", strerror(errno));
}

/* Loads the first byte of the file. If no PMD maps it, the test is skipped. */
static void expect_load_by_pmd(struct __test_metadata *_metadata, const int pipe[2],
			       const struct dax_file *file)
{
	ASSERT_KEPT(P5_LOSES_NOTHING, load(pipe, dax_file_page(file, 0)),
		    "a load from the file fails");
	if (!dax_file_page_is_pmd(file, 0))
		SKIP(return, DAX_FILE_NO_PMD_HERE);
}

/* P8: both files can be deleted, now that nothing is mapped or pinned any more. */
static void expect_removal(struct __test_metadata *_metadata, struct trial *trial,
			   struct waiter remove[2])
{
	dax_file_let_go(&trial->file);
	dax_file_let_go(&trial->peer);
	for (unsigned int i = 0; i < 2; i++) {
		waiter_start(&remove[i]);
		ASSERT_ENDS(P8_END_OF_LIFE, &remove[i], "with nothing pinned");
	}
}

/* P5, P8: a PMD maps all of the file, and then a PTE maps one of its pages. */
TEST_F(crash, pmd_then_pte)
{
	struct dax_file *file = &self->trial.file;
	unsigned int page = file->pages / 2;
	char *other;

	expect_load_by_pmd(_metadata, self->pipe, file);
	other = mmap(NULL, file->page_size, PROT_READ, MAP_SHARED, file->fd,
		     page * file->page_size);
	ASSERT_NE(MAP_FAILED, other);
	ASSERT_KEPT(P5_LOSES_NOTHING, load(self->pipe, other),
		    "a load from another mapping of the file fails");
	munmap(other, file->page_size);
	expect_removal(_metadata, &self->trial, self->remove);
}

static void clone_then_pmd(struct __test_metadata *_metadata, struct trial *trial,
			   const int pipe[2], unsigned int page)
{
	ASSERT_KEPT(P5_LOSES_NOTHING, load(pipe, dax_file_page(&trial->peer, page)),
		    "a load from the clone fails");
	expect_load_by_pmd(_metadata, pipe, &trial->file);
}

/* P5, P8: a PTE maps the clone's first page, then a PMD maps all of the file. */
TEST_F(crash, first_page_of_clone_then_pmd)
{
	clone_then_pmd(_metadata, &self->trial, self->pipe, 0);
	expect_removal(_metadata, &self->trial, self->remove);
}

/* P5, P8: the same with a page of the clone that is in the middle of the file's PMD. */
TEST_F(crash, other_page_of_clone_then_pmd)
{
	clone_then_pmd(_metadata, &self->trial, self->pipe, 5);
	expect_removal(_metadata, &self->trial, self->remove);
}

/*
 * P2, P8: a page of a PMD is pinned, then written to. The write may wait for the pin. If
 * it does not, the pinned block must go to the clone alone.
 */
TEST_F(crash, cow_of_pinned_pmd)
{
	struct trial *trial = &self->trial;
	struct dax_file *file = &trial->file;
	unsigned int page = tail_page(file);

	expect_load_by_pmd(_metadata, self->pipe, file);
	REQUIRE(return, holder_hold(&trial->holder, page, dax_file_page(file, page),
				    file->page_size));
	waiter_start(&self->write);
	waiter_observe(&self->write);
	REQUIRE(return, trial_release(trial, page));
	ASSERT_RETURNS(P2_WAKES, 0, &self->write, "with nothing pinned");
	waiter_end(&self->write);	/* this waiter has the file open */
	expect_removal(_metadata, trial, self->remove);
}

static void add_variants(void)
{
	VARIANTS_OF_FILESYSTEMS(crash, FS_PMEM | FS_REFLINK);
}

DAX_BREAK_MAIN_UNCHECKED("each test has its own guest, which may be beyond checking afterwards",
			 .variants = add_variants, .needs = NEED_ALONE)
