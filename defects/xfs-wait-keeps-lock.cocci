// SPDX-License-Identifier: GPL-2.0
//
// XFS sleeps without letting go of the lock that faults need.
//
// Promise: P3
// Harm: a process that touches the file while another waits hangs with it; if its fault
//   is what the DMA needs, for ever
// Test: dma.xfs_* during.xfs_punch.*
// File: fs/xfs/xfs_inode.c

@@
@@
 xfs_wait_dax_page(...)
 {
 ...
- xfs_iunlock(...);
 schedule();
- xfs_ilock(...);
 }
