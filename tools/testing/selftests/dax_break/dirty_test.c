// SPDX-License-Identifier: GPL-2.0
/*
 * P5, loses nothing: what a program has stored to a page reaches persistent memory at
 * the next fsync(2) or msync(2), whatever operation ran in between.
 *
 * Each case stores to pages of a file, runs an operation on pages 4 and 5 of eight, and
 * syncs. Nothing is pinned.
 *
 *	page	0	1	2	3	4	5	6	7
 *	store	S	S	S	S	S	S	S	S
 *	punch					|=======|
 *	fsync	F	F	F	F			F	F
 *
 *	dirty		every operation that leaves something, then fsync
 *	dirty_mapped	those that leave the file mapped, then msync
 *	dirty_pmd	the same with PMDs: stores to the PMD operated on, or to another
 *	dirty_still	control: no operation, only the sync
 *
 * What must be seen: every page whose data the operation leaves somewhere, in this file
 * or in the other one, has been written back, either by the operation or by the sync.
 * After that, another store to a page is written back by another sync: the first one
 * has left the page clean, and the kernel notices that it becomes dirty again.
 *
 * A layout break removes the entries of the pages, which record what is dirty, from the
 * mapping: dax_delete_mapping_range(), fs/dax.c, since bde708f1a65d (Linux 6.15). While
 * the machine has power, data in the CPU's caches is not lost, so reading the file back
 * would prove nothing. The tracepoint fs_dax:dax_writeback_one tells which pages have been
 * written back.
 */
#include <sys/mman.h>

#include "dax_break.h"
#include "written.h"

/* How many pages are stored to, evenly spread: in a file of eight, all of them. */
#define STORES	8U

/* @spec has no holder. @written has room for an operation that makes the file longer. */
static int setup(struct trial *trial, bool **written, const struct trial_spec *spec)
{
	int rc = trial_setup(trial, spec);

	if (rc)
		return rc;
	*written = malloc(2 * trial->file.pages);
	rc = *written ? written_begin() :
			why_set(ENOMEM, "no memory for %u pages", trial->file.pages);
	if (rc)
		trial_end(trial);
	return rc;
}

static void require(struct __test_metadata *_metadata, struct trial *trial, bool **written,
		    const struct trial_spec *spec)
{
	REQUIRE(return, setup(trial, written, spec));
}

/*
 * A trial in which the kernel's write-back is watched; it takes members of the trial's spec.
 * written[i] is true if page i has been written back, or has not been stored to.
 */
#define DIRTY_FIXTURE(type, ...) \
	FIXTURE(type) { \
		struct trial trial; \
		bool *written; \
	}; \
	FIXTURE_VARIANT(type) { \
		struct fs_op on; \
		int (*sync)(const struct dax_file *file); \
	}; \
	FIXTURE_SETUP(type) \
	{ \
		const struct trial_spec spec = { .holder = HOLDER_NONE, __VA_ARGS__ }; \
\
		require(_metadata, &self->trial, &self->written, &spec); \
	} \
	FIXTURE_TEARDOWN(type) \
	{ \
		free(self->written); \
		trial_teardown(_metadata, &self->trial); \
	} \
	struct trial

/* Stores to some of the pages [first, first + count). */
static void store(struct dax_file *file, bool *written, unsigned int first, unsigned int count)
{
	memset(written, true, 2 * file->pages);
	for (unsigned int i = 0; i < STORES; i++) {
		unsigned int page = first + i * count / STORES;

		dax_file_store(file, page);
		written[page] = false;
	}
}

static int by_fsync(const struct dax_file *file)
{
	return fsync(file->fd) ? why_set(errno, "fsync failed: %s", strerror(errno)) : 0;
}

static int by_msync(const struct dax_file *file)
{
	if (msync(file->map, file->pages * file->page_size, MS_SYNC))
		return why_set(errno, "msync failed: %s", strerror(errno));
	return 0;
}

static void operate_and_sync(struct __test_metadata *_metadata, struct trial *trial,
			     bool *written, int (*sync)(const struct dax_file *file))
{
	struct dax_file *file = &trial->file;

	trial_start(trial);
	ASSERT_COMPLETES(trial);
	/* An inode that has left memory must have been written back by now. */
	if (!(trial->op->flags & OP_EVICTS))
		REQUIRE(return, sync(file));
	REQUIRE(return, written_look(file->ino, written, 2 * file->pages));
	ASSERT_EQ(0, trial_all_written(trial, written)) {
		BROKEN(P5_LOSES_NOTHING, "%s", why());
	}
}

/* Stores to page 0, which only operations on the whole file affect. */
static void store_again(struct __test_metadata *_metadata, struct dax_file *file,
			bool *written, int (*sync)(const struct dax_file *file))
{
	written[0] = false;
	dax_file_store(file, 0);
	REQUIRE(return, sync(file));
	REQUIRE(return, written_look(file->ino, written, 1));
	ASSERT_TRUE(written[0]) {
		BROKEN(P5_LOSES_NOTHING, "a second store to page 0 is not written back");
	}
}

DIRTY_FIXTURE(dirty, .on = variant->on, .pages = 8, .first = 4, .count = 2);

TEST_F(dirty, fsync)
{
	store(&self->trial.file, self->written, 0, self->trial.file.pages);
	operate_and_sync(_metadata, &self->trial, self->written, by_fsync);
	if (self->trial.op->reach != OP_WHOLE)
		store_again(_metadata, &self->trial.file, self->written, by_fsync);
}

DIRTY_FIXTURE(dirty_mapped, .on = variant->on, .pages = 8, .first = 4, .count = 2);

TEST_F(dirty_mapped, msync)
{
	store(&self->trial.file, self->written, 0, self->trial.file.pages);
	operate_and_sync(_metadata, &self->trial, self->written, by_msync);
}

/* A file of two PMDs; the operation is on four pages of the second one. */
DIRTY_FIXTURE(dirty_pmd, .on = variant->on, .entries = DAX_PMD,
	      .pages = 2 * dax_file_pmd_pages(), .count = 4,
	      .first = dax_file_pmd_pages() + dax_file_pmd_pages() / 2);

TEST_F(dirty_pmd, other_pmd)
{
	store(&self->trial.file, self->written, 0, self->trial.file.pages / 2);
	operate_and_sync(_metadata, &self->trial, self->written, by_fsync);
}

/*
 * A single entry records that a whole PMD is dirty. The kernel must not forget that when
 * the operation takes a part of the PMD away.
 */
TEST_F(dirty_pmd, same_pmd)
{
	unsigned int half = self->trial.file.pages / 2;

	store(&self->trial.file, self->written, half, half);
	operate_and_sync(_metadata, &self->trial, self->written, by_fsync);
}

/* The trial needs an operation, but never starts it. */
DIRTY_FIXTURE(dirty_still, .on = { variant->on.fs, op_find("truncate_up") }, .pages = 8,
	      .first = 4, .count = 2);

/* Control: the sync writes everything back, and nothing is written back before it. */
TEST_F(dirty_still, no_operation)
{
	struct dax_file *file = &self->trial.file;

	store(file, self->written, 0, file->pages);
	REQUIRE(return, written_look(file->ino, self->written, file->pages));
	/* If the kernel wrote pages back by itself, the other tests would prove nothing. */
	for (unsigned int page = 0; page < file->pages; page++)
		ASSERT_FALSE(self->written[page]);
	REQUIRE(return, variant->sync(file));
	REQUIRE(return, written_look(file->ino, self->written, file->pages));
	for (unsigned int page = 0; page < file->pages; page++) {
		ASSERT_TRUE(self->written[page]) {
			BROKEN(P5_LOSES_NOTHING, "a store to page %u is not written back", page);
		}
	}
	store_again(_metadata, file, self->written, variant->sync);
}

static void add_variants(void)
{
	for (struct cases c = cases_of_ops(FS_PMEM, 0, 0); cases_next(&c);) {
		const FIXTURE_VARIANT(dirty) data = { .on = c.on };

		/* Nothing of the file is left that could be lost. */
		if (c.on.op->reach == OP_WHOLE && (c.on.op->flags & OP_FREES))
			continue;
		VARIANT_ADD(dirty, data);
		if (c.on.op->flags & OP_EVICTS)
			continue;
		VARIANT_ADD(dirty_mapped, data);
		VARIANT_ADD(dirty_pmd, data);
	}
	for (struct cases c = cases_of_filesystems(FS_PMEM); cases_next(&c);) {
		const FIXTURE_VARIANT(dirty_still) fsynced = { c.on, by_fsync };
		const FIXTURE_VARIANT(dirty_still) msynced = { c.on, by_msync };

		VARIANT_ADD_AS(dirty_still, fsynced, "fsync");
		VARIANT_ADD_AS(dirty_still, msynced, "msync");
	}
}

DAX_BREAK_MAIN(.variants = add_variants)
