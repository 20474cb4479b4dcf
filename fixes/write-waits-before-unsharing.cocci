// SPDX-License-Identifier: GPL-2.0
//
// XFS writes to a shared block by putting another one in its place, whoever has its
// pages pinned. It breaks the layout first.
//
// Test: cow.*_write.* crash.xfs.cow_of_pinned_pmd
// File: fs/xfs/xfs_file.c

@@
expression iocb, from;
identifier ret;
@@
 xfs_file_dax_write(...)
 {
 <...
 ret = xfs_file_write_checks(iocb, from, &iolock, NULL);
 if (ret)
	goto out;
+ if (xfs_is_reflink_inode(ip)) {
+	xfs_ilock(ip, XFS_MMAPLOCK_EXCL);
+	ret = xfs_break_dax_layouts(inode);
+	xfs_iunlock(ip, XFS_MMAPLOCK_EXCL);
+	if (ret)
+		goto out;
+ }
 ...>
 }
