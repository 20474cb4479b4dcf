// SPDX-License-Identifier: GPL-2.0
/*
 * P1, waits: an operation waits for a pinned page, whatever kind of entry that page has in
 * the file's mapping.
 *
 * Each case runs an operation on a file of a PMD, a few pages more, and a hole, all
 * faulted in:
 *
 *	|one PMD entry ... X|PTE|PTE| X |PTE|...|zero page|zero page|	X: pinned
 *
 * What must be seen: the operation is asleep in the layout break while any pin is left, and
 * done after the last one has gone; then the file is as the operation promises. The trial
 * proves that the PMD is one: a single fault makes all its pages present.
 *
 * A PMD entry is one large folio. Since 6.15 a pin of any of its pages counts on the first
 * one (dax_folio_init(), fs/dax.c); before, each page had its own count.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <linux/mman.h>

#include "dax_break.h"
#include "deadline.h"

#define PTE_PAGES	8U
#define HOLE_PAGES	4U

/*
 * A trial on @count pages from @first on, of a file like that, in which all pages have been
 * faulted in: those with blocks by stores, the hole by loads.
 */
static void setup(struct __test_metadata *_metadata, struct trial *trial, const struct fs_op *on,
		  unsigned int first, unsigned int count)
{
	unsigned int pmd = dax_file_pmd_pages();
	const struct trial_spec spec = {
		.on = *on,
		.pages = pmd + PTE_PAGES + HOLE_PAGES,
		.hole = pmd + PTE_PAGES,
		.hole_pages = HOLE_PAGES,
		.first = first,
		.count = count,
		.entries = DAX_PMD,
	};

	REQUIRE(return, trial_setup(trial, &spec));
	/* The pages behind the PMD, which are too few for another one. */
	for (unsigned int page = pmd; page < pmd + PTE_PAGES; page++)
		dax_file_touch(&trial->file, page);
	dax_file_populate(&trial->file);
}

FIXTURE(entries) {
	struct trial trial;
	unsigned int pmd;	/* pages of a PMD */
};

FIXTURE_VARIANT_ON(entries);

FIXTURE_SETUP(entries)
{
	self->pmd = dax_file_pmd_pages();
	setup(_metadata, &self->trial, &variant->on, 0, self->pmd + PTE_PAGES);
}

FIXTURE_TEARDOWN(entries)
{
	trial_teardown(_metadata, &self->trial);
}

TEST_F(entries, pmd_head)
{
	expect_wait_for(_metadata, &self->trial, 0);
}

TEST_F(entries, pmd_tail)
{
	expect_wait_for(_metadata, &self->trial, self->pmd - 3);
}

TEST_F(entries, pte_behind_pmd)
{
	expect_wait_for(_metadata, &self->trial, self->pmd + 3);
}

/*
 * A page of the PMD is faulted in through a mapping that is too small for a PMD. The entry
 * of the PMD stays, and with it the record of its pages: grab_mapping_entry(), fs/dax.c.
 */
TEST_F(entries, pmd_then_pte)
{
	struct trial *trial = &self->trial;
	unsigned int page = self->pmd / 2;

	REQUIRE(return, trial_hold(trial, page));
	REQUIRE(return, trial_hold_aside(trial, page + 1));
	REQUIRE(return, trial_release(trial, page + 1));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	REQUIRE(return, trial_release(trial, page));
	ASSERT_COMPLETES(trial);
}

/* One pin of each kind: the scan must find both. */
TEST_F(entries, mixed)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, trial_hold(trial, self->pmd / 2));
	REQUIRE(return, trial_hold(trial, self->pmd + PTE_PAGES - 1));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	REQUIRE(return, trial_release(trial, self->pmd / 2));
	ASSERT_BLOCKED_AGAIN(trial);
	REQUIRE(return, trial_release(trial, self->pmd + PTE_PAGES - 1));
	ASSERT_COMPLETES(trial);
}

/* Operations on four pages in the middle of the PMD. */
FIXTURE(pmd_part) {
	struct trial trial;
	unsigned int first;
};

FIXTURE_VARIANT_ON(pmd_part);

FIXTURE_SETUP(pmd_part)
{
	self->first = dax_file_pmd_pages() / 2;
	setup(_metadata, &self->trial, &variant->on, self->first, 4);
}

FIXTURE_TEARDOWN(pmd_part)
{
	trial_teardown(_metadata, &self->trial);
}

TEST_F(pmd_part, pinned)
{
	expect_wait_for(_metadata, &self->trial, self->first + 2);
}

/*
 * The PMD's entry is locked nearly all the time: a process dirties it and has it written
 * back, over and over, and writing back flushes all its pages under that lock. The scan for
 * pins has to wait for the lock; until 6be3e21d25ca (Linux 6.15) it stepped over the entry.
 * The process ends as soon as the operation sleeps.
 */
FIXTURE(locked) {
	struct trial trial;
	struct waiter process;
	struct writeback *writeback;
};

FIXTURE_VARIANT_ON(locked);

/* What that process shares with the test. */
struct writeback {
	const struct dax_file *file;
	unsigned long rounds;		/* so far */
};

/*
 * Goes on as long as there is a block to dirty. The block is not mapped while its entry is
 * locked: otherwise the scan would have to wait for this CPU to flush its TLB first.
 */
static int write_back(void *arg)
{
	struct writeback *writeback = arg;
	const struct dax_file *file = writeback->file;
	size_t pmd = dax_file_pmd_pages() * file->page_size;

	munmap(file->map, file->pages * file->page_size);
	while (mmap(file->map, pmd, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file->fd,
		    0) != MAP_FAILED &&
	       !madvise(file->map, file->page_size, MADV_POPULATE_WRITE) &&
	       !munmap(file->map, pmd) &&
	       !sync_file_range(file->fd, 0, pmd, SYNC_FILE_RANGE_WRITE_AND_WAIT))
		__atomic_add_fetch(&writeback->rounds, 1, __ATOMIC_RELAXED);
	return errno == EFAULT ? 0 : -errno;
}

/* Gives each a CPU of its own, if there are two, so that one looks while the other locks. */
static void keep_apart(pid_t one, pid_t other)
{
	cpu_set_t all, first, rest;

	CPU_ZERO(&first);
	if (sched_getaffinity(0, sizeof(all), &all) || CPU_COUNT(&all) < 2)
		return;
	for (int cpu = 0; !CPU_COUNT(&first); cpu++)
		if (CPU_ISSET(cpu, &all))
			CPU_SET(cpu, &first);
	CPU_XOR(&rest, &all, &first);
	sched_setaffinity(one, sizeof(first), &first);
	sched_setaffinity(other, sizeof(rest), &rest);
}

FIXTURE_SETUP(locked)
{
	self->writeback = mmap(NULL, sizeof(*self->writeback), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->writeback);
	self->writeback->file = &self->trial.file;
	setup(_metadata, &self->trial, &variant->on, 0, dax_file_pmd_pages() + PTE_PAGES);
	REQUIRE(return, waiter_fork(&self->process, "write-back", write_back, self->writeback));
	keep_apart(self->process.pid, self->trial.waiter.pid);
}

FIXTURE_TEARDOWN(locked)
{
	waiter_end(&self->process);
	trial_teardown(_metadata, &self->trial);
}

TEST_F(locked, by_writeback)
{
	struct trial *trial = &self->trial;
	long deadline = deadline_in(DEADLINE_MS);

	REQUIRE(return, trial_hold_aside(trial, 1));
	/* The file stays mapped: otherwise no pin counted before 6.15. */
	ASSERT_EQ(0, madvise(trial->file.map, trial->file.pages * trial->file.page_size,
			     MADV_DONTNEED));
	waiter_start(&self->process);
	while (!__atomic_load_n(&self->writeback->rounds, __ATOMIC_RELAXED) &&
	       !deadline_over(deadline))
		deadline_pause();
	ASSERT_LT(0UL, self->writeback->rounds) {
		TH_LOG("nothing is written back: %s", waiter_describe(&self->process));
	}
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	ASSERT_TRUE(waiter_kill(&self->process));
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
}

static void add_variants(void)
{
	VARIANTS_OF_OPS(entries, 0, 0, OP_SPARES | OP_WITHIN);
	/* Operations that affect the whole file anyway are tested by the above. */
	VARIANTS_OF_OPS(pmd_part, 0, 0, OP_SPARES | OP_EVICTS);
	/* An operation that evicts the file would find the other process's mapping. */
	VARIANTS_OF_OPS(locked, FS_PMEM, OP_FREES, OP_EVICTS);
}

DAX_BREAK_MAIN(.variants = add_variants)
