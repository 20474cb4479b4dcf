// SPDX-License-Identifier: GPL-2.0
//
// ext4 breaks the layout for every mode of fallocate() but hole punching.
//
// Promise: P1
// Harm: blocks that have been punched out of a file are written to under their next
//   owner
// Test: pages.ext4_punch.first reuse.ext4_punch.* reuse_mapped.ext4_punch.*
// File: fs/ext4/extents.c

@@
expression inode;
identifier ret;
@@
 ext4_fallocate(...)
 {
 ...
- ret = ext4_break_layouts(inode);
+ if ((mode & FALLOC_FL_MODE_MASK) != FALLOC_FL_PUNCH_HOLE)
+	ret = ext4_break_layouts(inode);
 ...
 }
