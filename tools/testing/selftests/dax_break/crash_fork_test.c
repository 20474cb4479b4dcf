// SPDX-License-Identifier: GPL-2.0
/*
 * P1, P2 and P9 after fork(2): what a PMD maps in the parent is mapped in the child as
 * well, or can be faulted in there.
 *
 *	parent	|---- PMD ... X ---|		X: pinned by the parent
 *	child	|------ ? ---------|		a copy of that PMD, or nothing
 *
 * The child loads from a page of the PMD, then punches a hole into all of it. What must be
 * seen: the child is asleep in the layout break until the pin goes, and done after that;
 * the page can be pinned again; and the kernel stays quiet.
 *
 * fork(2) does not copy page tables that faults can fill, except those of a VM_MIXEDMAP
 * mapping: fuse_dax_mmap(), fs/fuse/dax.c. From 6.15 to 6.16 the PMDs of DAX files were
 * marked special, and copy_huge_pmd(), mm/huge_memory.c, copied such a PMD without taking a
 * reference to its folio or counting the new mapping.
 *
 * This test takes DAX_BREAK_DESTRUCTIVE=1: see README.rst.
 */
#include "dax_break.h"

FIXTURE(crash_fork) {
	struct trial trial;
	struct waiter child;
};

FIXTURE_VARIANT_ON(crash_fork);

/* The child has inherited the pin, too, and drops it: only the parent's pin counts. */
static int load_and_punch(void *arg)
{
	struct trial *trial = arg;

	holder_close(&trial->holder);
	__atomic_load_n((char *)dax_file_page(&trial->file, 2), __ATOMIC_RELAXED);
	return op_run(trial->op, &trial->target);
}

FIXTURE_SETUP(crash_fork)
{
	const struct trial_spec spec = {
		.on = { variant->on.fs, op_find("punch") },
		.pages = dax_file_pmd_pages(),
		.count = dax_file_pmd_pages(),
		.entries = DAX_PMD,
	};

	REQUIRE(return, consent_to_crash());
	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(crash_fork)
{
	holder_close(&self->trial.holder);
	waiter_end(&self->child);
	trial_teardown(_metadata, &self->trial);
}

TEST_F(crash_fork, of_pmd)
{
	struct trial *trial = &self->trial;
	struct waiter *child = &self->child;

	REQUIRE(return, trial_hold(trial, 1));
	REQUIRE(return, waiter_fork(child, "punch by a child", load_and_punch, trial));
	waiter_start(child);
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(child)) {
		BROKEN(P1_WAITS, "%s, with page 1 pinned", waiter_describe(child));
	}
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_ENDS(P2_WAKES, child, "with nothing pinned");
	ASSERT_KEPT(P9_QUIET, trial_hold(trial, 1), "page 1 cannot be pinned anew");
	REQUIRE(return, trial_release(trial, 1));
}

static void add_variants(void)
{
	VARIANTS_OF_FILESYSTEMS(crash_fork, FS_MIXED_MAP);
}

DAX_BREAK_MAIN_UNCHECKED("the test has its own guest, which may be beyond checking afterwards",
			 .variants = add_variants, .needs = NEED_ALONE)
