/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Promises, findings, and reasons.
 *
 * A promise is one of the nine things that a kernel owes to whoever has a page of a DAX
 * file pinned; README.rst explains them. A finding says that a kernel breaks one, and
 * how. Each is told in one line, "P1 broken: ..."; runners look for that.
 *
 * Every function of the library that can fail returns 0 (or a count) or a negative errno,
 * and on failure has left its reason in why(), unless its header says otherwise.
 * -EOPNOTSUPP always means that this kernel or machine lacks something, which a test turns
 * into SKIP; the reason then names what is missing and how to get it.
 */
#ifndef DAX_BREAK_FINDING_H
#define DAX_BREAK_FINDING_H

#include <stdbool.h>

#include "kselftest.h"

/* Older trees do not define it; checked in newer ones. */
#ifndef __printf
#define __printf(a, b)
#endif

enum promise {
	P1_WAITS = 1,
	P2_WAKES,
	P3_YIELDS,
	P4_PRECISE,
	P5_LOSES_NOTHING,
	P6_FROZEN_CLONES,
	P7_NO_LONGTERM_PINS,
	P8_END_OF_LIFE,
	P9_QUIET,
};

/* How the line begins; takes a promise. */
#define FINDING_FORMAT	"P%d broken: "

/* A finding that has still to be told. May be in memory that processes share. */
struct finding {
	enum promise promise;	/* 0: nothing has been found */
	char text[1024];
};

void __printf(3, 4) finding_set(struct finding *finding, enum promise promise,
				const char *fmt, ...);

/* In a test: tells of a finding. To be used where TH_LOG() may be. */
#define BROKEN(_promise, _fmt, ...) \
	TH_LOG(FINDING_FORMAT _fmt, _promise, ##__VA_ARGS__)

/* The same for libraries. */
void __printf(2, 3) finding_tell(enum promise promise, const char *fmt, ...);

/* Stores the formatted reason (one per thread), returns -@err. */
int __printf(2, 3) why_set(int err, const char *fmt, ...);

/* The same of a failure that is a finding: @promise is broken. */
int __printf(3, 4) why_broken(int err, enum promise promise, const char *fmt, ...);

/* The reason of the last failure in this thread; owned by the library. */
const char *why(void);

#endif
