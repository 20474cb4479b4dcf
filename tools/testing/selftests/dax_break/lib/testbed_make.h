/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Makes what testbed.h gives to tests: a mounted DAX filesystem of every kind
 * asked for, on persistent memory of its own. A job for with_pmem, not for the test
 * programs: under emulation, the libraries that it takes make every fork slow.
 *
 * Environment:
 *	DAX_BREAK_FS	kinds to make, e.g. "xfs" or "ext4 xfs"; all if unset
 *
 * Consent: for now persistent memory is only touched in the runner's throw-away
 * guest, which the runner marks on its kernel command line.
 */
#ifndef DAX_BREAK_TESTBED_MAKE_H
#define DAX_BREAK_TESTBED_MAKE_H

/* How it is told: an entry for each filesystem, of its kind, device and mount point. */
#define TESTBED_ENV	"DAX_BREAK_TESTBED"
#define TESTBED_FORMAT	"%s:%s:%s"
/* Directories in each, for files that are DAX, and that are not. */
#define TESTBED_DAX	"dax"
#define TESTBED_PLAIN	"plain"

/*
 * Makes it, prints a line for each filesystem, and tells where it is in this
 * process' environment. -EOPNOTSUPP: no persistent memory, or no consent to use it.
 * All that was made is taken down again when the calling process exits.
 */
int testbed_make(void);

#endif
