// SPDX-License-Identifier: GPL-2.0
/*
 * P5, loses nothing: what has been stored to a page reaches persistent memory at the
 * next fsync(2) or msync(2), whatever operation came in between.
 *
 * Each case stores to pages of a file, runs an operation on pages 4 and 5 of eight, and
 * syncs. Nothing is pinned.
 *
 *	page	0	1	2	3	4	5	6	7
 *	store	S	S	S	S	S	S	S	S
 *	punch					|=======|
 *	fsync	F	F	F	F			F	F
 *
 * Seen must be: every page whose data the operation leaves somewhere (in the file or in
 * the other one) has been written back, by the operation or by the sync. And after
 * that a new store is seen again: the page had become clean.
 *
 * A layout break takes the pages' entries, which say what is dirty, out of the mapping:
 * dax_delete_mapping_range(), fs/dax.c, since bde708f1a65d (Linux 6.15). Persistent
 * memory does not lose what is in the CPU's caches as long as the machine has power, so
 * that a page was written back is told by the tracepoint fs_dax:dax_writeback_one.
 */
#include <sys/mman.h>

#include "dax_break.h"
#include "written.h"

/* Stores go to so many pages, evenly spread: to all of a file of eight. */
#define STORES	8U

FIXTURE(dirty) {
	struct trial trial;
	bool *written;		/* of each page; so is one that nothing was stored to */
};

FIXTURE_VARIANT(dirty) {
	struct fs_op on;
};

/* How large a file is, which pages the operation is for, and how it is mapped. */
struct shape {
	unsigned int pages, first, count;
	enum dax_entries entries;
};

static int setup(struct trial *trial, bool **written, const struct fs_op *on,
		 const struct shape *shape)
{
	const struct trial_spec spec = {
		.fs = on->fs,
		.op = on->op,
		.pages = shape->pages,
		.first = shape->first,
		.count = shape->count,
		.entries = shape->entries,
	};
	int rc = trial_setup(trial, &spec) ?: written_begin();

	/* The operation may make the file longer. */
	*written = malloc(2 * shape->pages);
	if (!rc && !*written)
		rc = why_set(ENOMEM, "no memory for %u pages", shape->pages);
	if (rc)
		trial_end(trial);
	return rc;
}

FIXTURE_SETUP(dirty)
{
	const struct shape shape = { .pages = 8, .first = 4, .count = 2, .entries = DAX_PTE };

	REQUIRE(return, setup(&self->trial, &self->written, &variant->on, &shape));
}

FIXTURE_TEARDOWN(dirty)
{
	written_end();
	free(self->written);
	trial_teardown(_metadata, &self->trial);
}

/* To pages [first, first + count). */
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
	/* What was taken out of memory has been written back by then, or is lost. */
	if (!(trial->op->flags & OP_EVICTS))
		REQUIRE(return, sync(file));
	REQUIRE(return, written_look(file->ino, written, 2 * file->pages));
	ASSERT_EQ(0, trial_all_written(trial, written)) {
		TH_LOG("P5 broken: %s", why());
	}
}

/* Page 0 is in no operation's way but in that of the whole file's. */
static void store_again(struct __test_metadata *_metadata, struct dax_file *file,
			bool *written, int (*sync)(const struct dax_file *file))
{
	written[0] = false;
	dax_file_store(file, 0);
	REQUIRE(return, sync(file));
	REQUIRE(return, written_look(file->ino, written, 1));
	ASSERT_TRUE(written[0]) {
		TH_LOG("P5 broken: a second store to page 0 is not written back");
	}
}

TEST_F(dirty, fsync)
{
	store(&self->trial.file, self->written, 0, self->trial.file.pages);
	operate_and_sync(_metadata, &self->trial, self->written, by_fsync);
	if (self->trial.op->reach != OP_WHOLE)
		store_again(_metadata, &self->trial.file, self->written, by_fsync);
}

/* For operations that leave the file mapped. */
FIXTURE(dirty_mapped) {
	struct trial trial;
	bool *written;
};

FIXTURE_VARIANT(dirty_mapped) {
	struct fs_op on;
};

FIXTURE_SETUP(dirty_mapped)
{
	const struct shape shape = { .pages = 8, .first = 4, .count = 2, .entries = DAX_PTE };

	REQUIRE(return, setup(&self->trial, &self->written, &variant->on, &shape));
}

FIXTURE_TEARDOWN(dirty_mapped)
{
	written_end();
	free(self->written);
	trial_teardown(_metadata, &self->trial);
}

TEST_F(dirty_mapped, msync)
{
	store(&self->trial.file, self->written, 0, self->trial.file.pages);
	operate_and_sync(_metadata, &self->trial, self->written, by_msync);
}

/* Two PMDs; the operation is on four pages of the second. */
FIXTURE(dirty_pmd) {
	struct trial trial;
	bool *written;
};

FIXTURE_VARIANT(dirty_pmd) {
	struct fs_op on;
};

FIXTURE_SETUP(dirty_pmd)
{
	unsigned int pmd = dax_file_pmd_pages();
	const struct shape shape = {
		.pages = 2 * pmd,
		.first = pmd + pmd / 2,
		.count = 4,
		.entries = DAX_PMD,
	};

	if (!pmd)
		SKIP(return, "%s", DAX_FILE_NO_PMD);
	REQUIRE(return, setup(&self->trial, &self->written, &variant->on, &shape));
	dax_file_touch(&self->trial.file, 0);
	if (!dax_file_page_is_pmd(&self->trial.file, 0)) {
		trial_end(&self->trial);
		SKIP(return, "%s", DAX_FILE_NO_PMD_HERE);
	}
}

FIXTURE_TEARDOWN(dirty_pmd)
{
	written_end();
	free(self->written);
	trial_teardown(_metadata, &self->trial);
}

TEST_F(dirty_pmd, other_pmd)
{
	store(&self->trial.file, self->written, 0, self->trial.file.pages / 2);
	operate_and_sync(_metadata, &self->trial, self->written, by_fsync);
}

/* One entry says that all of a PMD is dirty: it must not go with a part of the PMD. */
TEST_F(dirty_pmd, same_pmd)
{
	unsigned int half = self->trial.file.pages / 2;

	store(&self->trial.file, self->written, half, half);
	operate_and_sync(_metadata, &self->trial, self->written, by_fsync);
}

/* Control: without any operation it is the sync that writes back, and what was stored. */
FIXTURE(dirty_still) {
	struct trial trial;
	bool *written;
};

FIXTURE_VARIANT(dirty_still) {
	const char *fs;
	int (*sync)(const struct dax_file *file);
};

FIXTURE_SETUP(dirty_still)
{
	const struct shape shape = { .pages = 8, .first = 4, .count = 2, .entries = DAX_PTE };
	const struct fs_op on = { variant->fs, "truncate_up" };

	REQUIRE(return, setup(&self->trial, &self->written, &on, &shape));
}

FIXTURE_TEARDOWN(dirty_still)
{
	written_end();
	free(self->written);
	trial_teardown(_metadata, &self->trial);
}

TEST_F(dirty_still, no_operation)
{
	struct dax_file *file = &self->trial.file;

	store(file, self->written, 0, file->pages);
	REQUIRE(return, written_look(file->ino, self->written, file->pages));
	/* Not before it was asked for: or the other tests would prove nothing. */
	for (unsigned int page = 0; page < file->pages; page++)
		ASSERT_FALSE(self->written[page]);
	REQUIRE(return, variant->sync(file));
	REQUIRE(return, written_look(file->ino, self->written, file->pages));
	for (unsigned int page = 0; page < file->pages; page++) {
		ASSERT_TRUE(self->written[page]) {
			TH_LOG("P5 broken: a store to page %u is not written back", page);
		}
	}
	store_again(_metadata, file, self->written, variant->sync);
}

/* Not of operations that leave nothing of the file: nothing could be lost. */
static void add_variants(const struct filesystem *fs, const struct op *op)
{
	const struct fs_op on = { fs->name, op->name };

	if (!filesystem_on_pmem(fs) || !op_is_for(op, fs->name) || (op->flags & OP_RARE) ||
	    (op->reach == OP_WHOLE && (op->flags & OP_FREES)))
		return;
	VARIANT_ADD(dirty, on, "%s_%s", on.fs, on.op);
	if (op->flags & OP_EVICTS)
		return;
	VARIANT_ADD(dirty_mapped, on, "%s_%s", on.fs, on.op);
	VARIANT_ADD(dirty_pmd, on, "%s_%s", on.fs, on.op);
}

#include "aftermath_fixture.h"

int main(int argc, char **argv)
{
	for (const struct filesystem *fs = filesystems; fs->name; fs++) {
		for (const struct op *op = ops; op->name; op++)
			add_variants(fs, op);
	}
	for (const struct filesystem *fs = filesystems; fs->name; fs++) {
		const FIXTURE_VARIANT(dirty_still) fsynced = { fs->name, by_fsync };
		const FIXTURE_VARIANT(dirty_still) msynced = { fs->name, by_msync };

		if (!filesystem_on_pmem(fs))
			continue;
		VARIANT_ADD(dirty_still, fsynced, "%s_fsync", fs->name);
		VARIANT_ADD(dirty_still, msynced, "%s_msync", fs->name);
	}
	return dax_break_main(argc, argv);
}
