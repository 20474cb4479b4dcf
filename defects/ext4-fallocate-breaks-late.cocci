// SPDX-License-Identifier: GPL-2.0
//
// ext4 breaks the layout once the blocks have been taken, not before.
//
// Promise: P1
// Harm: punching a hole waits for DMA to blocks that are free already
// Test: pages.ext4_punch.first
// File: fs/ext4/extents.c

@ early @
expression inode;
identifier ret;
@@
 ext4_fallocate(...)
 {
 ...
- ret = ext4_break_layouts(inode);
- if (ret)
-	goto out_invalidate_lock;
 ...
 }

@ late @
expression mapping;
symbol ret, inode;
@@
 ext4_fallocate(...)
 {
 <...
+ if (!ret)
+	ret = ext4_break_layouts(inode);
 filemap_invalidate_unlock(mapping);
 ...>
 }
