// SPDX-License-Identifier: GPL-2.0
//
// Only files that have been deleted are waited for when they leave memory.
//
// Promise: P8
// Harm: unmounting, or switching DAX off, frees nothing yet: but DMA goes on behind the
//   back of the next user
// Test: waits.*_umount_vmsplice.two_pins_one_by_one
// File: fs/dax.c

@@
expression inode;
@@
 dax_break_layout_final(...)
 {
 ...
- if (!dax_mapping(inode->i_mapping))
+ if (!dax_mapping(inode->i_mapping) || inode->i_nlink)
	return;
 ...
 }
