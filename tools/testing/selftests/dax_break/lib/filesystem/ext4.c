// SPDX-License-Identifier: GPL-2.0
#include <stddef.h>
#include <linux/magic.h>

#include "base/rows.h"
#include "filesystem.h"

/*
 * As small as mkfs allows: a small filesystem is soon full, and soon made. Extents are
 * aligned to 2 MiB where mkfs can do that, so that PMD mappings are possible.
 */
ROW(filesystems, struct filesystem, ext4) = {
	.name = "ext4",
	.features = FS_PMEM | FS_SWAP_BOOT,
	.namespace_size = 256ULL << 20,
	.magic = EXT4_SUPER_MAGIC,
	.config = "CONFIG_EXT4_FS",
	.dax_config = "CONFIG_FS_DAX",
	.package = "e2fsprogs",
	.mkfs = (const char *const []){
		"mkfs.ext4", "-q", "-F", "-b", "%P",
		"-E", "stride=512,stripe_width=512,nodiscard", NULL
	},
	.fsck = (const char *const []){ "e2fsck", "-f", "-n", NULL },
	.reserve = "/sys/fs/ext4/%D/reserved_clusters",
};
