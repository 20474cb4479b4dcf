// SPDX-License-Identifier: GPL-2.0
//
// FUSE only breaks the layout if fallocate(2) may change the size of the file.
//
// Promise: P1
// Harm: the server punches a hole into memory that a device still writes to
// Test: waits.virtiofs_punch_vmsplice.*
// File: fs/fuse/file.c

@@
expression is_dax, grows, mode;
@@
 bool block_faults = is_dax && (grows ||
-	(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
+	false
 );
