// SPDX-License-Identifier: GPL-2.0
//
// ext4 does not break the layout of an inode that leaves memory.
//
// Promise: P1
// Harm: deleting a file frees blocks that a device still writes to
// Test: waits.ext4_unlink_vmsplice.* last.ext4_* own_pin.ext4_*
// File: fs/ext4/inode.c

@@
@@
 ext4_evict_inode(...)
 {
 ...
- dax_break_layout_final(...);
 ...
 }
