/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Claim: makes a filesystem on a device that may be somebody else's, if there is nothing
 * on it that anybody could miss.
 */
#ifndef DAX_BREAK_CLAIM_H
#define DAX_BREAK_CLAIM_H

#include "filesystem.h"
#include "testbed/ledger.h"

/*
 * Makes the filesystem @fs on the block device @path of the namespace with the UUID
 * @namespace, in its first fs->namespace_size bytes, after having noted that in @ledger.
 * @uuid becomes that of the filesystem. -EOPNOTSUPP: the device is in use (mounted in any
 * mount namespace, swap, part of an md or dm device), is partitioned, bears any
 * signature, has bad blocks or is too small.
 *
 * The device is open for exclusive use (O_EXCL) from before the checks until after the
 * last write, so nobody can begin to use it between the two. mkfs wants that for
 * itself, so it works on a file in memory, which is then written to the device.
 */
int claim_and_format(const struct filesystem *fs, const char *path, const char *namespace,
		     const struct ledger *ledger, char *uuid, size_t size);

#endif
