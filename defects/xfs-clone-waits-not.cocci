// SPDX-License-Identifier: GPL-2.0
//
// XFS locks both files of a clone, but does not break their layouts.
//
// Promise: P1
// Harm: DMA into one of two clones shows in the other
// Test: waits.xfs_clone_*vmsplice.*
// File: fs/xfs/xfs_inode.c

@@
expression ip1, ip2;
identifier ret;
@@
 xfs_ilock2_io_mmap(...)
 {
 <...
- ret = xfs_mmaplock_two_inodes_and_break_dax_layout(ip1, ip2);
+ filemap_invalidate_lock_two(VFS_I(ip1)->i_mapping, VFS_I(ip2)->i_mapping);
 ...>
 }
