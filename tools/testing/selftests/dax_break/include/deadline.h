/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bounded waits: everything in the suite that waits, waits by one of these.
 * Times are milliseconds on CLOCK_MONOTONIC.
 */
#ifndef DAX_BREAK_DEADLINE_H
#define DAX_BREAK_DEADLINE_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * For steps that take microseconds on any kernel that keeps its promises. Long
 * enough for a loaded machine under emulation, short enough for several in a row
 * within the harness' 30 s a test.
 */
#define DEADLINE_MS	5000

/* A deadline is the moment @ms from now. */
long deadline_in(long ms);
bool deadline_over(long deadline);
/* Milliseconds left, never negative: poll(2)'s timeout. */
int deadline_left(long deadline);

/* Gives the CPU to whoever is being watched; the pace of every polling loop. */
void deadline_pause(void);

/* Reaps child @pid; false if it has not ended within @ms. */
bool deadline_wait_child(pid_t pid, long ms, int *status);

#endif
