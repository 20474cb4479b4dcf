// SPDX-License-Identifier: GPL-2.0
//
// XFS keeps the lock of the first file if a signal ends the wait of a clone.
//
// Promise: P3
// Harm: a clone that is interrupted leaves a file that nobody can touch until reboot
// Test: interrupted.xfs_clone*
// File: fs/xfs/xfs_inode.c

@@
identifier error;
@@
 xfs_mmaplock_two_inodes_and_break_dax_layout(...)
 {
 <...
 error = xfs_break_dax_layouts(...);
 if (error) {
-	xfs_iunlock(...);
	return error;
 }
 ...>
 }
