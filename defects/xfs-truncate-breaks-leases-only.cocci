// SPDX-License-Identifier: GPL-2.0
//
// XFS breaks leases for truncate(), as write() does, but not the DAX layout.
//
// Promise: P1
// Harm: a file that shrinks loses blocks that a device still writes to
// Test: pages.xfs_truncate.first
// File: fs/xfs/xfs_iops.c

@@
expression inode, iolock;
identifier error;
@@
 xfs_vn_setattr(...)
 {
 <...
- error = xfs_break_layouts(inode, iolock, BREAK_UNMAP);
+ error = xfs_break_layouts(inode, iolock, BREAK_WRITE);
 ...>
 }
