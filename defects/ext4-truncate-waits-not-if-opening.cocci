// SPDX-License-Identifier: GPL-2.0
//
// ext4 breaks the layout for truncate(), but not for open() with O_TRUNC.
//
// Promise: P1
// Harm: a log that is begun anew writes over files that got its old blocks
// Test: waits.ext4_open_trunc_vmsplice.*
// File: fs/ext4/inode.c

@@
expression inode;
identifier rc;
@@
 ext4_setattr(...)
 {
 <...
- rc = ext4_break_layouts(inode);
+ if (!(ia_valid & ATTR_OPEN))
+	rc = ext4_break_layouts(inode);
 ...>
 }
