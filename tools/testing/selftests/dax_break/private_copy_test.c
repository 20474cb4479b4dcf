// SPDX-License-Identifier: GPL-2.0
/*
 * P5, loses nothing: what a process has written to its private mapping is its own, and
 * no operation on the file takes it away.
 *
 * Each case writes to page 0 of a private mapping, which copies it, then runs an
 * operation on pages 1 and 2 of the file, with nothing pinned. Seen must be: the copy
 * still has what was written. (Of pages that the operation takes away, or moves, the
 * copies go with them: a mapping has nothing beyond the end of the file.)
 *
 * A layout break unmaps all of the file, and must leave out the copies:
 * unmap_mapping_pages(), even_cows, in dax_layout_busy_page_range(), fs/dax.c (fixed
 * there by d75996dd022b).
 */
#include "dax_break.h"

#define WRITTEN	0x6f776e20636f7079ULL

FIXTURE(private_copy) {
	struct trial trial;
};

FIXTURE_VARIANT(private_copy) {
	struct fs_op on;
};

FIXTURE_SETUP(private_copy)
{
	const struct trial_spec spec = {
		.fs = variant->on.fs,
		.op = variant->on.op,
		.mapping = "private",
	};

	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(private_copy)
{
	trial_teardown(_metadata, &self->trial);
}

TEST_F(private_copy, survives)
{
	struct trial *trial = &self->trial;
	__u64 *copy = dax_file_page(&trial->file, 0);

	*copy = WRITTEN;
	trial_start(trial);
	ASSERT_COMPLETES(trial);
	ASSERT_EQ(WRITTEN, *copy) {
		TH_LOG("P5 broken: %s took away what a process had written to a private mapping",
		       trial->op->name);
	}
}

int main(int argc, char **argv)
{
	for (const struct filesystem *fs = filesystems; fs->name; fs++)
		for (const struct op *op = ops; op->name; op++) {
			const FIXTURE_VARIANT(private_copy) data = { { fs->name, op->name } };

			if (op_is_for(op, fs->name) && op->reach != OP_WHOLE)
				VARIANT_ADD(private_copy, data, "%s_%s", fs->name, op->name);
		}
	return dax_break_main(argc, argv);
}
