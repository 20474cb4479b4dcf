// SPDX-License-Identifier: GPL-2.0
//
// XFS breaks the layout of only one of the two files of a clone, the one with the
// higher inode number.
//
// Promise: P1
// Harm: whether DMA into one clone shows in the other depends on which file is older
// Test: waits.xfs_clone_*vmsplice.*
// File: fs/xfs/xfs_inode.c

@@
identifier error;
expression ip1;
@@
 xfs_mmaplock_two_inodes_and_break_dax_layout(...)
 {
 <...
- error = xfs_break_dax_layouts(VFS_I(ip1));
+ error = ip1 == ip2 ? xfs_break_dax_layouts(VFS_I(ip1)) : 0;
 ...>
 }
