// SPDX-License-Identifier: GPL-2.0
//
// FUSE does not break the layout of a file that open(2) truncates.
//
// Promise: P1
// Harm: the server takes away memory that a device still writes to
// Test: waits.virtiofs_open_trunc_vmsplice.*
// File: fs/fuse/file.c

@@
expression inode;
identifier err;
@@
 fuse_open(...)
 {
 <...
- err = fuse_dax_break_layouts(inode, 0, -1);
 ...>
 }
