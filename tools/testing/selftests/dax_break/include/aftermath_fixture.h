/* SPDX-License-Identifier: GPL-2.0 */
/*
 * P5, loses nothing, and P8, end of life: nothing is left behind by any of the tests
 * above. To be included by each test program, right before its main(): the harness runs
 * the tests in the order of their definition.
 */
#ifndef DAX_BREAK_AFTERMATH_FIXTURE_H
#define DAX_BREAK_AFTERMATH_FIXTURE_H

#include "dax_break.h"

FIXTURE(aftermath) {
};

FIXTURE_VARIANT(aftermath) {
	const char *fs;
};

FIXTURE_SETUP(aftermath)
{
}

FIXTURE_TEARDOWN(aftermath)
{
}

TEST_F(aftermath, clean)
{
	int rc = testbed_dir(variant->fs) ? aftermath_check(variant->fs) :
		 why_set(EOPNOTSUPP, "no %s here: it is not in DAX_BREAK_FS", variant->fs);

	if (rc == -EOPNOTSUPP)
		SKIP(return, "%s", why());
	ASSERT_EQ(0, rc) {
		TH_LOG("P5 broken: after all tests of %s, %s: %s", program_invocation_short_name,
		       variant->fs, why());
	}
}

/* When the program starts, as main() has variants to add, too. */
static void __attribute__((constructor)) aftermath_variants(void)
{
	for (const struct filesystem *fs = filesystems; fs->name; fs++) {
		const FIXTURE_VARIANT(aftermath) data = { fs->name };

		/* The program's name makes it another test than those of other programs. */
		VARIANT_ADD(aftermath, data, "%s_%s", fs->name, program_invocation_short_name);
	}
}

#endif
