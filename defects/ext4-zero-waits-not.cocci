// SPDX-License-Identifier: GPL-2.0
//
// ext4 breaks the layout for every mode of fallocate() but zeroing a range.
//
// Promise: P1
// Harm: data that a device delivers late shows up in a range that has been zeroed
// Test: pages.ext4_zero.first
// File: fs/ext4/extents.c

@@
expression inode;
identifier ret;
@@
 ext4_fallocate(...)
 {
 ...
- ret = ext4_break_layouts(inode);
+ if ((mode & FALLOC_FL_MODE_MASK) != FALLOC_FL_ZERO_RANGE)
+	ret = ext4_break_layouts(inode);
 ...
 }
