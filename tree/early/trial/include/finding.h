/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Promises, findings, and reasons. A finding says that a kernel breaks one of the promises
 * that it owes to whoever has a page of a DAX file pinned: "P1 broken: ...".
 *
 * Every function that can fail returns 0 or a negative errno, and on failure has left its
 * reason in why(). -EOPNOTSUPP means that this kernel or machine lacks something: SKIP.
 */
#ifndef DAX_BREAK_FINDING_H
#define DAX_BREAK_FINDING_H

#endif
