// SPDX-License-Identifier: GPL-2.0
//
// XFS breaks the layout for every mode of fallocate() but unsharing.
//
// Promise: P1
// Harm: data that a device delivers late goes to the block that the other file has kept
// Test: waits.xfs_unshare_*vmsplice.*
// File: fs/xfs/xfs_file.c

@@
expression inode, iolock;
identifier error;
@@
 __xfs_file_fallocate(...)
 {
 <...
- error = xfs_break_layouts(inode, iolock, BREAK_UNMAP);
+ error = xfs_break_layouts(inode, iolock,
+			   (mode & FALLOC_FL_MODE_MASK) == FALLOC_FL_UNSHARE_RANGE ?
+			   BREAK_WRITE : BREAK_UNMAP);
 ...>
 }
