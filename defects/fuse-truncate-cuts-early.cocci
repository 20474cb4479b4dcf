// SPDX-License-Identifier: GPL-2.0
//
// FUSE cuts the file off in the kernel before the server has agreed.
//
// Promise: P5
// Harm: after a truncate that failed, the program no longer sees the end of its file
// Test: failed.virtiofs_truncate.*
// File: fs/fuse/dir.c

@@
expression fm, fc;
symbol args, inarg, outarg, err, inode, is_truncate, attr;
@@
 fuse_do_setattr(...)
 {
 ...
 fuse_setattr_fill(fc, &args, inode, &inarg, &outarg);
+ if (is_truncate)
+	truncate_setsize(inode, attr->ia_size);
 err = fuse_simple_request(fm, &args);
 ...
 }
