/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The superblock of XFS, for a feature that mkfs.xfs may be too old to know.
 */
#ifndef DAX_BREAK_XFS_SUPER_H
#define DAX_BREAK_XFS_SUPER_H

#include <stdbool.h>

/*
 * Allows or forbids XFS_IOC_EXCHANGE_RANGE on the unmounted filesystem on @device, as
 * xfs_admin -O exchange=1 does from xfsprogs 6.10 on. Nothing else on disk depends on
 * it (XFS_SB_FEAT_INCOMPAT_EXCHRANGE), but a kernel before 6.10 does not mount it.
 */
int xfs_allow_exchange(const char *device, bool allow);

#endif
