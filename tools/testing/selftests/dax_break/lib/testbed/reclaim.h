/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Removes what a run has made: its processes, its ublk devices, and what its ledger lists.
 * Each run does this at its end. If it was killed, the next run or dax_break_cleanup does.
 * Nothing is touched that does not bear the run's mark. What cannot be removed is reported,
 * and its ledger is kept for another try.
 */
#ifndef DAX_BREAK_RECLAIM_H
#define DAX_BREAK_RECLAIM_H

#include "testbed/ledger.h"

/*
 * Ends the processes of the run. The calling one, which is the run's with_pmem or does not
 * belong to the run, goes on. -EBUSY: some survive SIGKILL.
 */
int reclaim_processes(const struct ledger *ledger);

/*
 * Removes all of it, and calls ledger_end(), or ledger_leave() if something remains. Returns
 * 0, or the first error, with why() set.
 */
int reclaim(struct ledger *ledger);

/*
 * The same for all dead runs, with a line of output for each. Returns how many of them have
 * left something that remains, or a negative errno. *@alive is how many runs are alive.
 */
int reclaim_dead(int *alive);

#endif
