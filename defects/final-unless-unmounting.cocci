// SPDX-License-Identifier: GPL-2.0
//
// Files that are let go by an unmount are not waited for.
//
// Promise: P8
// Harm: unmounting, then using the device for something else, lets old DMA write to it
// Test: waits.*_umount_vmsplice.two_pins_one_by_one syncing.*
// File: fs/dax.c

@@
expression inode;
@@
 dax_break_layout_final(...)
 {
 ...
- if (!dax_mapping(inode->i_mapping))
+ if (!dax_mapping(inode->i_mapping) || !(inode->i_sb->s_flags & SB_ACTIVE))
	return;
 ...
 }
