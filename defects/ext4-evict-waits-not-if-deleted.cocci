// SPDX-License-Identifier: GPL-2.0
//
// ext4 breaks the layout when it unmounts, but not of a file that has been deleted.
//
// Promise: P1
// Harm: deleting a file frees blocks that a device still writes to
// Test: waits.ext4_unlink_vmsplice.*
// File: fs/ext4/inode.c

@@
identifier inode;
@@
 ext4_evict_inode(struct inode *inode)
 {
 ...
- dax_break_layout_final(inode);
+ if (inode->i_nlink)
+	dax_break_layout_final(inode);
 ...
 }
