// SPDX-License-Identifier: GPL-2.0
//
// XFS does not break the layout of an inode that leaves memory.
//
// Promise: P1
// Harm: deleting a file frees blocks that a device still writes to
// Test: waits.xfs_unlink_*vmsplice.*
// File: fs/xfs/xfs_super.c

@@
expression inode;
@@
 xfs_fs_evict_inode(...)
 {
 ...
- if (IS_DAX(inode))
-	dax_break_layout_final(inode);
 ...
 }
