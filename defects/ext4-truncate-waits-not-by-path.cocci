// SPDX-License-Identifier: GPL-2.0
//
// ext4 breaks the layout for ftruncate(), but not for truncate() by path.
//
// Promise: P1
// Harm: what depends on which of two system calls a program prefers is seldom found
// Test: waits.ext4_truncate_path_vmsplice.*
// File: fs/ext4/inode.c

@@
expression inode;
identifier rc;
@@
 ext4_setattr(...)
 {
 <...
- rc = ext4_break_layouts(inode);
+ if (ia_valid & (ATTR_FILE | ATTR_OPEN))
+	rc = ext4_break_layouts(inode);
 ...>
 }
