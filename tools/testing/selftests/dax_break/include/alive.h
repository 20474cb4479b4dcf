/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Alive: does a filesystem of the testbed still answer?
 *
 * A test may leave a filesystem on which every call sleeps for good. The tests after it would
 * all run until their time is up. So after a test that did not come to its end, or left a
 * process that cannot be killed, a child tries to create a file there. Only a filesystem on
 * which that does not end is dead: an error is an answer, too.
 */
#ifndef DAX_BREAK_ALIVE_H
#define DAX_BREAK_ALIVE_H

#include "filesystem.h"

/* Before the tests are forked: they share what is known. */
int alive_begin(void);

/* The test @name on @fs begins. -EIO: @fs is dead; why() says since when. */
int alive_enter(const struct filesystem *fs, const char *name);

/* It has come to its end. */
void alive_leave(const struct filesystem *fs);

/* It has left something behind on @fs that is still at work there. */
void alive_doubt(const struct filesystem *fs);

#endif
