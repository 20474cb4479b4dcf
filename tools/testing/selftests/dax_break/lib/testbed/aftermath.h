/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Aftermath: have the tests of a program left anything behind in the kernel or in its
 * filesystems? What one test breaks quietly is seen by aftermath_check() (testbed.h).
 */
#ifndef DAX_BREAK_TESTBED_AFTERMATH_H
#define DAX_BREAK_TESTBED_AFTERMATH_H

/* Notes how things are; to be called before the tests are forked. */
void aftermath_begin(void);

#endif
