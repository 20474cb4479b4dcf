// SPDX-License-Identifier: GPL-2.0
//
// FUSE takes ranges of the DAX window from a file without breaking their layout.
//
// Promise: P1
// Harm: the range goes to another file, and so does what a device writes
// Test: crash_window.virtiofs.all_ranges
// File: fs/fuse/dax.c

@@
expression inode, start, end;
identifier ret;
@@
 lookup_and_reclaim_dmap(...)
 {
 <...
- ret = fuse_dax_break_layouts(inode, start, end);
+ ret = 0;
 ...>
 }
