/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the server says to people, on standard error, which the runner keeps.
 */
#ifndef VIRTIOFS_LOG_H
#define VIRTIOFS_LOG_H

#include <stdnoreturn.h>

/* A line, as for printf(3). */
void note(const char *fmt, ...);

/* The same for what the server cannot go on after. */
noreturn void die(const char *fmt, ...);

#endif
