/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Quiet (P9): whatever a test does, the kernel logs no WARN, BUG, lockdep or hung-task
 * report, and no filesystem finds itself damaged.
 *
 * Most of the kernel's DAX checks are WARN_ON_ONCE(). We arm them again after each
 * complaint (clear_warn_once in debugfs, kernel/panic.c), or only the first test that trips
 * over one would see it.
 */
#ifndef DAX_BREAK_QUIET_H
#define DAX_BREAK_QUIET_H

/*
 * Begins to listen. It is called before the tests are forked, since they share one place in
 * the log: each hears the complaints since the last quiet_check(). Returns 0, or a negative
 * errno with the reason in why() if /dev/kmsg cannot be read, which takes root.
 */
int quiet_begin(void);

/*
 * Returns 0, or -EIO with the first complaint since the last call in why(). Always 0 if
 * quiet_begin() has failed.
 */
int quiet_check(void);

#endif
