// SPDX-License-Identifier: GPL-2.0
//
// ext4 sleeps without letting go of the lock that faults need.
//
// Promise: P3
// Harm: a process that touches the file while another waits hangs with it; if its fault
//   is what the DMA needs, for ever
// Test: dma.ext4_* during.ext4_punch.* same_file.ext4_*
// File: fs/ext4/inode.c

@@
@@
 ext4_wait_dax_page(...)
 {
- filemap_invalidate_unlock(inode->i_mapping);
 schedule();
- filemap_invalidate_lock(inode->i_mapping);
 }
