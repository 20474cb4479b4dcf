// SPDX-License-Identifier: GPL-2.0
//
// ext4 changes the size of the file first, then breaks its layout.
//
// Promise: P1
// Harm: while truncate() waits, reads and faults already see the new size; if it is
//   interrupted, the blocks are lost
// Test: pages.ext4_truncate.first
// File: fs/ext4/inode.c

@ early @
expression inode;
identifier rc;
@@
 ext4_setattr(...)
 {
 <...
- rc = ext4_break_layouts(inode);
- if (rc) {
- ...
- }
 ...>
 }

@ late @
expression inode;
@@
 ext4_setattr(...)
 {
 <...
+ rc = ext4_break_layouts(inode);
+ if (rc)
+	goto out_mmap_sem;
 truncate_pagecache(inode, inode->i_size);
 ...>
 }
