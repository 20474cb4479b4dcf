/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Why a library call failed, as one line for people.
 *
 * Convention of the whole library: a function returns 0 (or a count) or a
 * negative errno, and on failure has left its reason here. -EOPNOTSUPP always
 * means "this kernel or machine lacks something", which a test turns into SKIP;
 * the reason then names what is missing and how to get it.
 */
#ifndef DAX_BREAK_WHY_H
#define DAX_BREAK_WHY_H

#include "finding.h"

/* Stores the formatted reason (one per thread), returns -@err. */
int __printf(2, 3) why_set(int err, const char *fmt, ...);

/* The same of a failure that is a finding: @promise is broken. */
int __printf(3, 4) why_broken(int err, enum promise promise, const char *fmt, ...);

/* The reason of the last failure in this thread; owned by the library. */
const char *why(void);

#endif
