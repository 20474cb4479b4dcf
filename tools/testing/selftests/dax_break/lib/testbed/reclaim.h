/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Takes down what a run has made: its processes, ublk devices, and what its ledger
 * lists. At the end of a run, and for a run that was killed by the next one or by
 * dax_break_cleanup. Whatever does not bear the mark of the run is left alone; what
 * cannot be taken down is reported, and the ledger kept for another try.
 */
#ifndef DAX_BREAK_RECLAIM_H
#define DAX_BREAK_RECLAIM_H

#include "testbed/ledger.h"

/* Ends the processes of the run, but the calling one, which is its with_pmem or none of it. */
int reclaim_processes(const struct ledger *ledger);

/* Takes down what @ledger lists, and ends or leaves it. 0, or why not all is gone. */
int reclaim(struct ledger *ledger);

/*
 * The same for all runs that are dead, with a line of output for each. Returns how many
 * had something that is still there, or a negative errno; *@alive is how many others run.
 */
int reclaim_dead(int *alive);

#endif
