// SPDX-License-Identifier: GPL-2.0
/*
 * P1 and P9 of a process that has been forked off: what a PMD maps here, that process
 * maps as well, or can fault in.
 *
 *	parent	|---- PMD ... X ---|		X: pinned by it
 *	child	|------ ? ---------|		a copy of that, or nothing
 *
 * The child loads a page of it, and punches a hole into all of it. Seen must be: the child
 * is asleep in the layout break while the pin is left, done after it; the page can be
 * pinned anew; and the kernel stays quiet.
 *
 * Page tables that faults can fill are not copied, but those of virtiofs are, which says
 * VM_MIXEDMAP: fuse_dax_mmap(), fs/fuse/dax.c. From 6.15 to 6.16 PMDs of DAX files were
 * marked special, and copy_huge_pmd(), mm/huge_memory.c, copied such ones with no reference
 * to the folio, and nothing counted.
 *
 * On a machine that is needed for anything else these tests are skipped, unless
 * DAX_BREAK_DESTRUCTIVE=1 is set. run_tests.sh gives each of them a guest of its own.
 */
#include "consent.h"
#include "dax_break.h"

FIXTURE(crash_fork) {
	struct trial trial;
	struct waiter child;
};

FIXTURE_VARIANT(crash_fork) {
	const char *fs;
};

FIXTURE_VARIANT_ADD(crash_fork, virtiofs) { "virtiofs" };

/* In the child, which has inherited the pin as well: that is not what is looked at. */
static int load_and_punch(void *arg)
{
	struct trial *trial = arg;

	holder_close(&trial->holder);
	__atomic_load_n((char *)dax_file_page(&trial->file, 2), __ATOMIC_RELAXED);
	return trial->op->run(&trial->target);
}

FIXTURE_SETUP(crash_fork)
{
	const struct trial_spec spec = {
		.fs = variant->fs,
		.op = "punch",
		.holder = "vmsplice",
		.pages = dax_file_pmd_pages(),
		.count = dax_file_pmd_pages(),
		.entries = DAX_PMD,
	};

	REQUIRE(return, consent_to_crash());
	REQUIRE(return, trial_setup_pmd(&self->trial, &spec));
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

	REQUIRE(return, trial_hold(trial, 1));
	REQUIRE(return, waiter_fork(&self->child, "punch by a child", load_and_punch, trial));
	waiter_start(&self->child);
	ASSERT_EQ(WAITER_BLOCKED, waiter_observe(&self->child)) {
		TH_LOG("P1 broken: %s, with page 1 pinned", waiter_describe(&self->child));
	}
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(&self->child)) {
		TH_LOG("P2 broken: %s, with nothing pinned", waiter_describe(&self->child));
	}
	ASSERT_EQ(0, trial_hold(trial, 1)) {
		TH_LOG("P9 broken: after that, %s", why());
	}
	REQUIRE(return, trial_release(trial, 1));
}

int main(int argc, char **argv)
{
	return dax_break_main(argc, argv);
}
