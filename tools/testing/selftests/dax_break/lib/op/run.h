/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How the operations are run: what the table in op.c refers to. All of these are
 * struct op's run().
 */
#ifndef DAX_BREAK_OP_RUN_H
#define DAX_BREAK_OP_RUN_H

#include "op.h"

/* op_blocks.c: take blocks from a file, or give it some */
int truncate_run(const struct op_target *t);
int truncate_path_run(const struct op_target *t);
int truncate_zero_run(const struct op_target *t);
int open_trunc_run(const struct op_target *t);
int truncate_up_run(const struct op_target *t);
int punch_run(const struct op_target *t);
int zero_run(const struct op_target *t);
int write_zeroes_run(const struct op_target *t);
int collapse_run(const struct op_target *t);
int insert_run(const struct op_target *t);
int unshare_run(const struct op_target *t);
int allocate_run(const struct op_target *t);
int madv_remove_run(const struct op_target *t);

/* op_peers.c: share blocks between two files, or exchange them */
int clone_from_run(const struct op_target *t);
int clone_to_run(const struct op_target *t);
int clone_range_from_run(const struct op_target *t);
int clone_range_to_run(const struct op_target *t);
int dedupe_from_run(const struct op_target *t);
int dedupe_to_run(const struct op_target *t);
int copy_from_run(const struct op_target *t);
int copy_to_run(const struct op_target *t);
int exchange_run(const struct op_target *t);
int swap_extents_run(const struct op_target *t);

/* op_within.c: share blocks within a file, or exchange them */
int clone_within_run(const struct op_target *t);
int dedupe_within_run(const struct op_target *t);
int copy_within_run(const struct op_target *t);
int exchange_within_run(const struct op_target *t);
int swap_boot_run(const struct op_target *t);

/* op_uring.c: the same as requests of io_uring, which a signal to the caller cancels */
int uring_truncate_run(const struct op_target *t);
int uring_punch_run(const struct op_target *t);

/* op_evict.c: take the inode out of memory, by closing its last descriptor */
int unlink_run(const struct op_target *t);
int rename_over_run(const struct op_target *t);
int umount_run(const struct op_target *t);
int dax_off_run(const struct op_target *t);

#endif
