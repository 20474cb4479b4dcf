/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Asks the kernel what it can do, by doing it: never by its version. Each question
 * is asked once in the life of a program, whose tests are processes of their own.
 */
#ifndef DAX_BREAK_BASE_PROBE_H
#define DAX_BREAK_BASE_PROBE_H

/* To be called before the tests are forked, so that they share the answers. */
void probe_init(void);

/*
 * The answer to @question: what @ask(@arg) returned when it was first put, 0 or a
 * negative errno, with its why().
 */
int probe_once(const char *question, int (*ask)(void *arg), void *arg);

#endif
