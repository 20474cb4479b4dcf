// SPDX-License-Identifier: GPL-2.0
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <linux/magic.h>
#include <linux/types.h>
#include <unistd.h>

#include "base/rows.h"
#include "filesystem.h"
#include "finding.h"

/* Where the fields of struct xfs_dsb are (fs/xfs/libxfs/xfs_format.h), in bytes. */
enum {
	SB_MAGIC = 0,
	SB_BLOCKSIZE = 4,
	SB_AGBLOCKS = 84,
	SB_AGCOUNT = 88,
	SB_SECTSIZE = 102,
	SB_FEATURES_INCOMPAT = 216,
	SB_CRC = 224,
};

#define MAX_SECTOR		4096
#define FEATURE_EXCHANGE	0x40

static __u32 get32(const unsigned char *sector, size_t at)
{
	__u32 value;

	memcpy(&value, sector + at, sizeof(value));
	return be32toh(value);
}

/* CRC-32C (Castagnoli), which XFS stores inverted and little-endian. */
static __u32 crc32c(const unsigned char *data, size_t len)
{
	__u32 crc = ~0U;

	while (len--) {
		crc ^= *data++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return htole32(~crc);
}

/* Changes the copy at @offset; every allocation group has one. */
static int change(int fd, off_t offset, bool allow, __u64 *ag_bytes, __u32 *ag_count)
{
	unsigned char sector[MAX_SECTOR];
	__u32 features, crc;
	__u16 size;

	if (pread(fd, sector, sizeof(sector), offset) != sizeof(sector))
		return -EIO;
	memcpy(&size, sector + SB_SECTSIZE, sizeof(size));
	size = be16toh(size);
	if (memcmp(sector + SB_MAGIC, "XFSB", 4) || size > sizeof(sector))
		return -EINVAL;
	*ag_bytes = (__u64)get32(sector, SB_AGBLOCKS) * get32(sector, SB_BLOCKSIZE);
	*ag_count = get32(sector, SB_AGCOUNT);

	features = get32(sector, SB_FEATURES_INCOMPAT) & ~FEATURE_EXCHANGE;
	features = htobe32(features | (allow ? FEATURE_EXCHANGE : 0));
	memcpy(sector + SB_FEATURES_INCOMPAT, &features, sizeof(features));
	memset(sector + SB_CRC, 0, sizeof(crc));
	crc = crc32c(sector, size);
	memcpy(sector + SB_CRC, &crc, sizeof(crc));
	return pwrite(fd, sector, size, offset) == size ? 0 : -EIO;
}

/*
 * Allows or forbids XFS_IOC_EXCHANGE_RANGE on the unmounted filesystem on @device, as
 * xfs_admin -O exchange=1 does from xfsprogs 6.10 on. Nothing else on disk depends on
 * it (XFS_SB_FEAT_INCOMPAT_EXCHRANGE), but a kernel before 6.10 does not mount it.
 */
static int allow_exchange(const char *device, bool allow)
{
	int fd = open(device, O_RDWR | O_EXCL | O_CLOEXEC);
	__u32 ag_count = 1;
	__u64 ag_bytes = 0;
	int rc = fd < 0 ? -errno : 0;

	for (__u32 ag = 0; !rc && ag < ag_count; ag++)
		rc = change(fd, ag * ag_bytes, allow, &ag_bytes, &ag_count);
	if (!rc && fsync(fd))
		rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc ? why_set(-rc, "cannot change the features of XFS on %s: %s", device,
			    strerror(-rc)) : 0;
}

/*
 * As small as mkfs allows: the log, at least 64 MiB, must fit into one allocation group.
 * Extents are aligned to 2 MiB, so that PMD mappings are possible.
 */
ROW(filesystems, struct filesystem, xfs) = {
	.name = "xfs",
	.features = FS_PMEM | FS_REFLINK | FS_EXCHANGE | FS_SWAP_EXTENTS,
	.namespace_size = 320ULL << 20,
	.magic = XFS_SUPER_MAGIC,
	.config = "CONFIG_XFS_FS",
	.dax_config = "CONFIG_FS_DAX",
	.package = "xfsprogs",
	.mkfs = (const char *const []){
		"mkfs.xfs", "-q", "-f", "-K", "-b", "size=%P", "-m", "reflink=1",
		"-d", "agcount=2,su=2m,sw=1", NULL
	},
	/* What it prefetches is in memory already: its threads for that only cost time. */
	.fsck = (const char *const []){ "xfs_repair", "-n", "-P", NULL },
	.tune = allow_exchange,
};
