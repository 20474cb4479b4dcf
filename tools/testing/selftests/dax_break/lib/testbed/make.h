/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Makes what testbed.h gives to tests: a mounted DAX filesystem of every kind
 * asked for, on persistent memory of its own. A job for with_pmem, not for the test
 * programs: under emulation, the libraries that it takes make every fork slow.
 *
 * Environment:
 *	DAX_BREAK_FS	kinds to make, e.g. "xfs" or "ext4 xfs"; all if unset
 *	DAX_BREAK_PMEM	what persistent memory may be used: see testbed/consent.h
 *	DAX_BREAK_MIB	size of the namespaces that are carved; as small as can be if unset
 */
#ifndef DAX_BREAK_TESTBED_MAKE_H
#define DAX_BREAK_TESTBED_MAKE_H

/*
 * How it is told: an entry for each filesystem, of its kind, device and mount point. In
 * a directory on a filesystem that somebody else has mounted, there is no device, and
 * that directory is in place of the mount point.
 */
#define TESTBED_ENV	"DAX_BREAK_TESTBED"
#define TESTBED_FORMAT	"%s:%s:%s"
#define TESTBED_NO_DEVICE	"-"
/* Directories in each, for files that are DAX, and that are not. */
#define TESTBED_DAX	"dax"
#define TESTBED_PLAIN	"plain"

/*
 * Cleans up after runs that were killed, makes it, prints a line for each filesystem,
 * and tells where it is in this process' environment. -EOPNOTSUPP: no persistent memory,
 * or no consent to use it. All that was made is taken down again when the calling
 * process exits.
 */
int testbed_make(void);

#endif
