// SPDX-License-Identifier: GPL-2.0
//
// FUSE does not break the layout to truncate a file.
//
// Promise: P1
// Harm: the server takes away memory that a device still writes to
// Test: waits.virtiofs_truncate_vmsplice.* waits.virtiofs_truncate_dio_read.*
// File: fs/fuse/dir.c

@@
expression inode;
identifier err;
@@
 fuse_do_setattr(...)
 {
 <...
- err = fuse_dax_break_layouts(inode, 0, -1);
+ err = 0;
 ...>
 }
