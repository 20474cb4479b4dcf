/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Access: what a program goes on doing with its file while an operation on that waits,
 * and must be able to do after one that gave up. In a thread of its own and bounded:
 * a lock that is never released costs a test, not the run.
 *
 * 0, or a negative errno with its reason in why(); -ETIMEDOUT: no end in DEADLINE_MS.
 */
#ifndef DAX_BREAK_ACCESS_H
#define DAX_BREAK_ACCESS_H

#include "dax_file.h"

/* Faults @page in through the file's mapping, as dax_file_touch() does. */
int access_fault(struct dax_file *file, unsigned int page);

/* The same, then reads @page, writes that back, and asks for the file's status. */
int access_all(struct dax_file *file, unsigned int page);

#endif
