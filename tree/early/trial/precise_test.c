// SPDX-License-Identifier: GPL-2.0
/*
 * P4, precise: an operation waits for pins of the pages that it affects, and for nothing
 * else.
 *
 * Each case runs an operation on pages 1 and 2 of a file of four, none of whose pages is
 * pinned. What must be seen: it returns 0 without ever sleeping in the layout break. These
 * are also the negative controls of P1: they show that it is the pin that makes an
 * operation wait there, not the mapping and not the machine.
 *
 * dax_break_layout(), fs/dax.c: the return value when nothing is busy was undefined in
 * early versions of the series that introduced it.
 */
#include "dax_break.h"

TRIAL_FIXTURE(precise);

FIXTURE_VARIANT_ADD(precise, truncate_vmsplice) { .op = "truncate", .holder = "vmsplice" };
FIXTURE_VARIANT_ADD(precise, punch_vmsplice) { .op = "punch", .holder = "vmsplice" };

/* No page of the file has ever been mapped: nothing to look at. */
TEST_F(precise, never_mapped)
{
	trial_start(&self->trial);
	ASSERT_DOES_NOT_WAIT(&self->trial);
}

/* Every page is mapped and dirty, but a mapping is not a pin. */
TEST_F(precise, mapped)
{
	for (unsigned int page = 0; page < self->trial.file.pages; page++)
		dax_file_touch(&self->trial.file, page);
	trial_start(&self->trial);
	ASSERT_DOES_NOT_WAIT(&self->trial);
}

DAX_BREAK_MAIN()
