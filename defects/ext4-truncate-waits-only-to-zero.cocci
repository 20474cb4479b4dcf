// SPDX-License-Identifier: GPL-2.0
//
// ext4 breaks the layout of a file that becomes empty, but not of one that is cut.
//
// Promise: P1
// Harm: a file that shrinks loses blocks that a device still writes to
// Test: pages.ext4_truncate.first
// File: fs/ext4/inode.c

@@
expression inode;
identifier rc;
@@
 ext4_setattr(...)
 {
 <...
- rc = ext4_break_layouts(inode);
+ if (!attr->ia_size)
+	rc = ext4_break_layouts(inode);
 ...>
 }
