// SPDX-License-Identifier: GPL-2.0
//
// XFS locks both files whose contents it exchanges, but does not break their layouts.
//
// Promise: P1
// Harm: data that a device delivers to one file ends up in the other
// Test: waits.xfs_exchange_*vmsplice.*
// File: fs/xfs/xfs_exchrange.c

@@
expression ip1, ip2;
identifier error;
@@
- error = xfs_ilock2_io_mmap(ip1, ip2);
+ lock_two_nondirectories(VFS_I(ip1), VFS_I(ip2));
+ filemap_invalidate_lock_two(VFS_I(ip1)->i_mapping, VFS_I(ip2)->i_mapping);
+ error = 0;
