/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of program.h that is in the library, which has no part of the harness.
 */
#ifndef DAX_BREAK_TRIAL_SETUP_H
#define DAX_BREAK_TRIAL_SETUP_H

/*
 * Sets up the testbed and whatever else must be there before the harness forks the tests. It
 * may start the program anew (testbed_setup()).
 */
int program_setup(char **argv);

#endif
