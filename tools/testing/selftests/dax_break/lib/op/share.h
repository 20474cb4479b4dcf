/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The system calls that share blocks between two ranges of the same length, or exchange
 * them: of two files, or of one. Ranges are given by a file and the byte where they
 * start. All return 0 or a negative errno; -EOPNOTSUPP: the kernel does not have it.
 */
#ifndef DAX_BREAK_OP_SHARE_H
#define DAX_BREAK_OP_SHARE_H

#include <sys/types.h>

int share_clone(int from, off_t start, int to, off_t to_start, off_t len);

/* That the contents differ is no error: pages that a device wrote to late do. */
int share_dedupe(int from, off_t start, int to, off_t to_start, off_t len);

int share_copy(int from, off_t start, int to, off_t to_start, off_t len);
int share_exchange(int one, off_t start, int other, off_t other_start, off_t len);

/* All of two files, as xfs_fsr does it. */
int share_swap_extents(int one, int other);

#endif
