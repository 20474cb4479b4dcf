// SPDX-License-Identifier: GPL-2.0
//
// XFS takes the locks of a file twice that is cloned to another place in itself.
//
// Promise: P2
// Harm: cloning within a file hangs, and whoever touches that file hangs with it
// Test: frozen.*_within_itself.*
// File: fs/xfs/xfs_inode.c

@@
@@
 xfs_mmaplock_two_inodes_and_break_dax_layout(...)
 {
 <...
- if (ip1 == ip2)
-	return 0;
 ...>
 }
