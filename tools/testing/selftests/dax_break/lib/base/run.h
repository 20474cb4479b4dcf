/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The run that a process belongs to. A run is one start of a program: its token, 64
 * random bits, marks everything that it makes outside of its own memory, so that a
 * later run can recognize what a killed one has left behind.
 *
 * All processes of a run have the token in their environment, as 16 hexadecimal digits.
 */
#ifndef DAX_BREAK_BASE_RUN_H
#define DAX_BREAK_BASE_RUN_H

#include <linux/types.h>

#define RUN_ENV		"DAX_BREAK_RUN"

/* The token of the run that this process belongs to; 0 if it belongs to none. */
__u64 run_token(void);

#endif
