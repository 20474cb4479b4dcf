/* SPDX-License-Identifier: GPL-2.0 */
/* Programs that init runs, and the testbed that they share. */
#ifndef INIT_PROGRAM_H
#define INIT_PROGRAM_H

/* Blocks SIGCHLD, by which the end of a program is noticed. To be called first. */
void program_begin(void);

/* Runs a program for at most @seconds, and says what comes of it (init.c). */
void program_run(char **argv, int seconds);

/*
 * Makes the testbed, within @seconds, and puts all programs that follow into it. If there
 * can be none, each program finds that out for itself, and says why.
 */
void testbed_make(int seconds);

/* What runs as long as the testbed is there: tells its environment, and stays. */
void testbed_keep(void);

/* Runs an interactive program on the console. */
void program_shell(char **argv);

#endif
