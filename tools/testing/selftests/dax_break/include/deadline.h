/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Deadlines: every wait in the suite is bounded by one of these. Times are milliseconds on
 * CLOCK_MONOTONIC.
 */
#ifndef DAX_BREAK_DEADLINE_H
#define DAX_BREAK_DEADLINE_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * The bound for steps that take microseconds on a kernel that keeps its promises. It is
 * long enough for a busy machine under emulation, and short enough for several such steps
 * within the 30 s that the harness gives a test.
 */
#define DEADLINE_MS	5000

/* The deadline that is @ms from now. */
long deadline_in(long ms);

bool deadline_over(long deadline);

/* How much time is left, at least 0, as a timeout for poll(2). */
int deadline_left(long deadline);

/* Sleeps for 0.5 ms. All loops that poll use this, so that what they watch gets the CPU. */
void deadline_pause(void);

/* Reaps the child @pid. Returns false if it has not ended within @ms. */
bool deadline_wait_child(pid_t pid, long ms, int *status);

#endif
