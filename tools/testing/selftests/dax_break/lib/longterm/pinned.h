/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether anonymous memory of this process is pinned. Sizes are in bytes.
 */
#ifndef DAX_BREAK_LONGTERM_PINNED_H
#define DAX_BREAK_LONGTERM_PINNED_H

#include <stddef.h>

/*
 * Is any page in @len bytes at @addr pinned? If one is, fork(2) gives the child a copy of
 * it, because a device goes on using the parent's page; those that are not pinned are
 * shared with the child (folio_try_dup_anon_rmap_pte(), include/linux/rmap.h). Returns 1
 * or 0.
 */
int pinned(const char *addr, size_t len);

/* Waits until none is, DEADLINE_MS at most; then -EIO. */
int pinned_check_none(const char *addr, size_t len);

/*
 * The pinned memory that the process is charged for, in kB: VmPin in /proc/self/status.
 * io_uring counts there (io_account_mem()). -1 if it cannot be read.
 */
long pinned_charge(void);

/* Waits until the charge is @before again, DEADLINE_MS at most; then -EIO. */
int pinned_check_charge(long before);

#endif
