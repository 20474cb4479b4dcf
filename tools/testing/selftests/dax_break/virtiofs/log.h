/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the server has to say: notes for people, and complaints for the tests.
 *
 * Both go to standard error, a line each. Complaints are kept, too, until they are
 * cleared: the guest reads them in a file (protocol.h). All formats are those of
 * printf(3).
 */
#ifndef VIRTIOFS_LOG_H
#define VIRTIOFS_LOG_H

#include <stdnoreturn.h>

void note(const char *fmt, ...);

/* Notes why the server cannot go on, and ends it. */
noreturn void die(const char *fmt, ...);

/* The kernel in the guest has done what it must not do. */
void complain(const char *fmt, ...);

/* All complaints since they were cleared, a line each; "" without any. */
const char *complaints_text(void);
void complaints_clear(void);

#endif
