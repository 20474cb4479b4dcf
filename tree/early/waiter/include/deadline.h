/* SPDX-License-Identifier: GPL-2.0 */
/* Deadlines: every wait in the suite is bounded by one of these. Times are milliseconds. */
#ifndef DAX_BREAK_DEADLINE_H
#define DAX_BREAK_DEADLINE_H

/* The bound for steps that take microseconds on a kernel that keeps its promises. */
#define DEADLINE_MS	5000

#endif
