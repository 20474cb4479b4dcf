/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Quiet: has the kernel complained? P9: no WARN, BUG, lockdep or hung-task report,
 * and no filesystem that finds itself damaged, whatever a test does.
 *
 * The kernel's DAX checks are mostly WARN_ON_ONCE(): they are armed anew for each test
 * (clear_warn_once, in debugfs), or the second test to trip over one would see nothing.
 */
#ifndef DAX_BREAK_QUIET_H
#define DAX_BREAK_QUIET_H

/*
 * From now on complaints count. To be called before the tests are forked: they share
 * one place in the log, so each hears what came after the last one's quiet_check().
 * Returns 0, or a negative errno if the log cannot be read: /dev/kmsg, root.
 */
int quiet_begin(void);

/*
 * 0, or -EIO with the first complaint since the last call in why(). Without a log, as
 * quiet_begin() has said, always 0.
 */
int quiet_check(void);

#endif
