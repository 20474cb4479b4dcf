// SPDX-License-Identifier: GPL-2.0
/*
 * P5, loses nothing: what a process has written to its private mapping is its own, and no
 * operation on the file takes it away.
 *
 * Each case writes to page 0 of a private mapping, which copies it, then runs an operation
 * on pages 1 and 2 of the file, with nothing pinned. What must be seen: the copy still has
 * what was written. Copies of pages that the operation removes or moves are lost with them.
 *
 * A layout break unmaps all of the file, but must leave the copies mapped:
 * unmap_mapping_pages(), even_cows, in dax_layout_busy_page_range(), fs/dax.c (fixed there
 * by d75996dd022b).
 */
#include "dax_break.h"

#define WRITTEN	0x6f776e20636f7079ULL

TRIAL_FIXTURE(private_copy, .holder = HOLDER_NONE, .mapping = "private");

TEST_F(private_copy, survives)
{
	struct trial *trial = &self->trial;
	__u64 *copy = dax_file_page(&trial->file, 0);

	*copy = WRITTEN;
	trial_start(trial);
	ASSERT_COMPLETES(trial);
	ASSERT_EQ(WRITTEN, *copy) {
		BROKEN(P5_LOSES_NOTHING,
		       "%s took away what a process had written to a private mapping",
		       trial->op->name);
	}
}

static void add_variants(void)
{
	for (struct cases c = cases_of_ops(0, 0, 0); cases_next(&c);) {
		const FIXTURE_VARIANT(private_copy) data = { .on = c.on };

		if (c.on.op->reach != OP_WHOLE)
			VARIANT_ADD(private_copy, data);
	}
}

DAX_BREAK_MAIN(.variants = add_variants)
