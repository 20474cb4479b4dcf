// SPDX-License-Identifier: GPL-2.0
//
// FUSE does not break the layout of an inode that leaves memory.
//
// Promise: P1
// Harm: the range of the DAX window goes to another file, and so does what a device writes
// Test: waits.virtiofs_unlink_vmsplice.* waits.virtiofs_unlink_dio_read.*
// File: fs/fuse/inode.c

@@
expression inode;
@@
 fuse_evict_inode(...)
 {
 ...
- if (FUSE_IS_DAX(inode))
-	dax_break_layout_final(inode);
 ...
 }
