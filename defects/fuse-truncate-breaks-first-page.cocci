// SPDX-License-Identifier: GPL-2.0
//
// FUSE breaks the layout of the first page of a file that it truncates. It took 7851bf649d42
// (6.15) to notice that this is what a range from 0 to 0 means.
//
// Promise: P1
// Harm: the server takes away memory that a device still writes to
// Test: pages.virtiofs_truncate.*
// File: fs/fuse/dir.c

@@
expression inode;
@@
 fuse_do_setattr(...)
 {
 <...
- fuse_dax_break_layouts(inode, 0, -1)
+ fuse_dax_break_layouts(inode, 0, 0)
 ...>
 }
