// SPDX-License-Identifier: GPL-2.0
//
// ext4 frees the blocks of a deleted file first, then breaks its layout.
//
// Promise: P8
// Harm: while the last close waits, the blocks are another file's already
// Test: last.ext4_* others.ext4_unlink_*
// File: fs/ext4/inode.c

@@
expression inode, handle;
@@
 ext4_evict_inode(...)
 {
 ...
- dax_break_layout_final(inode);
 <...
+ dax_break_layout_final(inode);
 ext4_orphan_del(handle, inode);
 ...>
 }
