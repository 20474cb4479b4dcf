// SPDX-License-Identifier: GPL-2.0
//
// FUSE lets faults in again before its server has punched the hole.
//
// Promise: P1
// Harm: a page can be pinned just when it is taken away
// Test: answered_late.virtiofs_punch.*
// File: fs/fuse/file.c

@@
expression inode;
identifier err;
@@
 fuse_file_fallocate(...)
 {
 <...
 err = fuse_dax_break_layouts(inode, 0, -1);
 if (err)
	goto out;
+ filemap_invalidate_unlock(inode->i_mapping);
+ block_faults = false;
 ...>
 }
