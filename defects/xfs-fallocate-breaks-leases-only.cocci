// SPDX-License-Identifier: GPL-2.0
//
// XFS breaks leases for fallocate(), as write() does, but not the DAX layout.
//
// Promise: P1
// Harm: blocks that have been punched out of a file are written to under their next
//   owner
// Test: pages.xfs_punch.first
// File: fs/xfs/xfs_file.c

@@
expression inode, iolock;
identifier error;
@@
 __xfs_file_fallocate(...)
 {
 <...
- error = xfs_break_layouts(inode, iolock, BREAK_UNMAP);
+ error = xfs_break_layouts(inode, iolock, BREAK_WRITE);
 ...>
 }
