/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a test program sets up once, before the harness forks its tests: a
 * mounted DAX filesystem of every kind asked for, on persistent memory of its
 * own, and its removal at the end, however the program ends.
 *
 * Environment:
 *	DAX_BREAK_FS	kinds to set up, e.g. "xfs" or "ext4 xfs"; all if unset
 *
 * Consent: for now persistent memory is only touched in the runner's throw-away
 * guest, which the runner marks on its kernel command line.
 */
#ifndef DAX_BREAK_TESTBED_H
#define DAX_BREAK_TESTBED_H

/*
 * Sets up what DAX_BREAK_FS names and prints a line for each. Call from main().
 * -EOPNOTSUPP: no persistent memory, or no consent to use it. All that was set
 * up is taken down again when the calling process exits.
 */
int testbed_setup(void);

/*
 * Of filesystem kind @fs: a directory whose files are DAX, one whose files are not,
 * and where it is mounted. NULL if it was not asked for.
 */
const char *testbed_dir(const char *fs);
const char *testbed_plain_dir(const char *fs);
const char *testbed_mount(const char *fs);

/* Mounts it again if a test has unmounted it. */
int testbed_mount_again(const char *fs);

#endif
