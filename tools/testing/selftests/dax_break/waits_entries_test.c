// SPDX-License-Identifier: GPL-2.0
/*
 * P1, waits: whatever kind of entry the pinned page has in the file's mapping.
 *
 * Each case runs an operation on a file of a PMD, a few pages more, and a hole, all
 * faulted in:
 *
 *	|one PMD entry ... X|PTE|PTE| X |PTE|...|zero page|zero page|	X: pinned
 *
 * Seen must be: asleep in the layout break while any pin is left, done after the last
 * one has gone, and a file that looks as the operation promises. That the PMD is one
 * is proved: a single fault made all its pages present.
 *
 * A PMD entry is one large folio: since 6.15 a pin of any of its pages counts
 * on the first one (dax_folio_init(), fs/dax.c); before, each page had its own count.
 */
#include "dax_break.h"

#define PTE_PAGES	8U
#define HOLE_PAGES	4U

FIXTURE(entries) {
	struct trial trial;
	unsigned int pmd;	/* pages of a PMD */
};

FIXTURE_VARIANT(entries) {
	struct fs_op on;
};

static int setup(struct trial *trial, const struct fs_op *on, unsigned int first,
		 unsigned int count)
{
	unsigned int pmd = dax_file_pmd_pages();
	const struct trial_spec spec = {
		.fs = on->fs,
		.op = on->op,
		.holder = "vmsplice",
		.pages = pmd + PTE_PAGES + HOLE_PAGES,
		.hole = pmd + PTE_PAGES,
		.hole_pages = HOLE_PAGES,
		.first = first,
		.count = count,
		.entries = DAX_PMD,
	};
	int rc = trial_setup_pmd(trial, &spec);

	if (rc)
		return rc;
	/* Too few pages for another PMD. */
	for (unsigned int page = pmd; page < pmd + PTE_PAGES; page++)
		dax_file_touch(&trial->file, page);
	dax_file_populate(&trial->file);
	return 0;
}

FIXTURE_SETUP(entries)
{
	unsigned int pmd = dax_file_pmd_pages();

	REQUIRE(return, setup(&self->trial, &variant->on, 0, pmd + PTE_PAGES));
	self->pmd = pmd;
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
 * A page of the PMD is faulted in by a mapping that is too small for one. The PMD's entry
 * stays, and with it what is known of its pages: grab_mapping_entry(), fs/dax.c.
 */
TEST_F(entries, pmd_then_pte)
{
	struct trial *trial = &self->trial;
	unsigned int page = self->pmd / 2;

	REQUIRE(return, trial_hold(trial, page));
	REQUIRE(return, trial_hold_aside(trial, page + 1));
	REQUIRE(return, trial_release(trial, page + 1));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, page));
	ASSERT_COMPLETES(trial);
}

/* One pin of each kind: neither makes the scan step over the other. */
TEST_F(entries, mixed)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, trial_hold(trial, self->pmd / 2));
	REQUIRE(return, trial_hold(trial, self->pmd + PTE_PAGES - 1));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, self->pmd / 2));
	ASSERT_BLOCKED(trial, waiter_observe_again);
	REQUIRE(return, trial_release(trial, self->pmd + PTE_PAGES - 1));
	ASSERT_COMPLETES(trial);
}

/* Operations on four pages in the middle of the PMD. */
FIXTURE(pmd_part) {
	struct trial trial;
	unsigned int first;
};

FIXTURE_VARIANT(pmd_part) {
	struct fs_op on;
};

FIXTURE_SETUP(pmd_part)
{
	self->first = dax_file_pmd_pages() / 2;
	REQUIRE(return, setup(&self->trial, &variant->on, self->first, 4));
}

FIXTURE_TEARDOWN(pmd_part)
{
	trial_teardown(_metadata, &self->trial);
}

TEST_F(pmd_part, pinned)
{
	expect_wait_for(_metadata, &self->trial, self->first + 2);
}

#include "aftermath_fixture.h"

int main(int argc, char **argv)
{
	VARIANTS_OF_OPS(entries, 0, OP_SPARES | OP_WITHIN);
	/* Whatever affects the whole file anyway is no different here. */
	VARIANTS_OF_OPS(pmd_part, 0, OP_SPARES | OP_EVICTS);
	return dax_break_main(argc, argv);
}
