// SPDX-License-Identifier: GPL-2.0
//
// XFS breaks the layout unless the new size ends in the middle of a page.
//
// Promise: P1
// Harm: a file that shrinks loses blocks that a device still writes to
// Test: partial.xfs_truncate.*
// File: fs/xfs/xfs_iops.c

@@
expression inode, iolock;
identifier error;
@@
 xfs_vn_setattr(...)
 {
 <...
- error = xfs_break_layouts(inode, iolock, BREAK_UNMAP);
+ error = xfs_break_layouts(inode, iolock,
+			   offset_in_page(iattr->ia_size) ? BREAK_WRITE : BREAK_UNMAP);
 ...>
 }
