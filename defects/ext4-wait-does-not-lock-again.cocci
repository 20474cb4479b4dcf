// SPDX-License-Identifier: GPL-2.0
//
// ext4 goes on after its sleep without the lock that keeps faults out.
//
// Promise: P9
// Harm: a page that is faulted in while its block is freed belongs to two files; the
//   lock is broken for ever
// Test: races.ext4_blocks.*
// File: fs/ext4/inode.c

@@
@@
 ext4_wait_dax_page(...)
 {
 ...
- filemap_invalidate_lock(inode->i_mapping);
 }
