// SPDX-License-Identifier: GPL-2.0
//
// Of two files that are to share blocks, XFS waits for pages of the first one in its
// sleep, but tries the second one over and over. It sleeps for that one, too, with
// neither file locked, and starts again.
//
// Test: frozen.*_both.* frozen.*_higher.* cost.xfs_*_higher.* killed.xfs_*_higher.*
// File: fs/xfs/xfs_inode.c

@@
identifier error;
expression ip1, ip2;
symbol again;
@@
 xfs_mmaplock_two_inodes_and_break_dax_layout(...)
 {
 <...
 error = dax_break_layout(VFS_I(ip2), ...);
 if (error) {
 xfs_iunlock(ip2, ...);
 xfs_iunlock(ip1, ...);
+ xfs_ilock(ip2, XFS_MMAPLOCK_EXCL);
+ error = xfs_break_dax_layouts(VFS_I(ip2));
+ xfs_iunlock(ip2, XFS_MMAPLOCK_EXCL);
+ if (error)
+	return error;
 goto again;
 }
 ...>
 }
