// SPDX-License-Identifier: GPL-2.0
//
// FUSE breaks the layout of all that follows a range which it takes from a file.
//
// Promise: P4
// Harm: a pin anywhere in a file holds up all who need a range of the DAX window
// Test: crash_window.virtiofs.other_range
// File: fs/fuse/dax.c

@@
expression inode, start, end;
@@
 lookup_and_reclaim_dmap(...)
 {
 <...
- fuse_dax_break_layouts(inode, start, end)
+ fuse_dax_break_layouts(inode, start, -1)
 ...>
 }
