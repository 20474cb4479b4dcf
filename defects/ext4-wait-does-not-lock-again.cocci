// SPDX-License-Identifier: GPL-2.0
//
// ext4 goes on after its sleep without the lock that keeps faults out.
//
// Promise: P9
// Harm: a page that is faulted in while its block is freed belongs to two files; the
//   lock is broken for ever
// Test: during.ext4_* refault.ext4_* dma.ext4_*
// File: fs/ext4/inode.c
// Missed: the lock is left with a count that lets the next one in, or not; nothing
//   takes it again on the file of a test. Lock debugging would tell

@@
@@
 ext4_wait_dax_page(...)
 {
 ...
- filemap_invalidate_lock(inode->i_mapping);
 }
