// SPDX-License-Identifier: GPL-2.0
/* Apart from consent.c, which needs libndctl: a test that forks a lot is better without. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "finding.h"
#include "testbed.h"

int consent_to_crash(void)
{
	const char *agreed = getenv("DAX_BREAK_DESTRUCTIVE");

	if (agreed && !strcmp(agreed, "1"))
		return 0;
	return why_set(EOPNOTSUPP,
		       "may crash or hang the machine: set DAX_BREAK_DESTRUCTIVE=1 to allow that");
}
