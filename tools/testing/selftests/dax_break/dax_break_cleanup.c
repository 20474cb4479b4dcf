// SPDX-License-Identifier: GPL-2.0
/*
 * Removes what runs that were killed have left: processes, ublk devices, namespaces,
 * filesystems on named namespaces, directories. The next run does the same before it
 * begins. Runs that are under way are left alone, and so is all that no run has noted
 * down in its ledger (lib/ledger.h).
 *
 *	dax_break_cleanup
 *
 * Exit status 0: nothing is left of dead runs; 1: something is, and what.
 */
#include <stdio.h>

#include "finding.h"
#include "testbed/reclaim.h"

int main(int argc, char **argv)
{
	int alive, failed;

	if (argc > 1) {
		fprintf(stderr, "Usage: dax_break_cleanup\n");
		return KSFT_FAIL;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	failed = reclaim_dead(&alive);
	if (failed < 0) {
		fprintf(stderr, "dax_break_cleanup: %s\n", why());
		return KSFT_FAIL;
	}
	if (alive)
		printf("# left alone: %d under way\n", alive);
	return failed ? KSFT_FAIL : KSFT_PASS;
}
