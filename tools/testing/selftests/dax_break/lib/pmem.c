// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/random.h>
#include <linux/ndctl.h>
#include <ndctl/libndctl.h>

#include "pmem.h"
#include "why.h"

/* Seen by whoever lists namespaces while a test runs. */
#define NAMESPACE_NAME	"dax_break"

struct pmem {
	struct ndctl_ctx *ctx;
	struct ndctl_namespace *ndns;
	struct ndctl_pfn *pfn;
	char device[32];
};

/* The kernel only takes labels while the region and its DIMMs are disabled. */
static int label_region(struct ndctl_region *region)
{
	struct ndctl_dimm *dimm;
	int rc = ndctl_region_disable_invalidate(region);

	if (rc)
		return why_set(-rc, "cannot disable %s", ndctl_region_get_devname(region));
	ndctl_dimm_foreach_in_region(region, dimm) {
		struct ndctl_cmd *index = ndctl_dimm_read_label_index(dimm);

		if (!index || ndctl_dimm_init_labels(dimm, NDCTL_NS_VERSION_1_2) < 0)
			rc = why_set(EOPNOTSUPP, "%s takes no namespace labels",
				     ndctl_dimm_get_devname(dimm));
		if (index)
			ndctl_cmd_unref(index);
		/* It reads its labels when it is enabled. */
		ndctl_dimm_disable(dimm);
		ndctl_dimm_enable(dimm);
	}
	if (ndctl_region_enable(region) < 0 && !rc)
		rc = why_set(EIO, "cannot enable %s", ndctl_region_get_devname(region));
	return rc;
}

int pmem_init_labels(void)
{
	struct ndctl_ctx *ctx;
	struct ndctl_bus *bus;
	int rc = 0;

	if (ndctl_new(&ctx))
		return why_set(ENOMEM, "cannot set up libndctl");
	ndctl_bus_foreach(ctx, bus) {
		struct ndctl_region *region;

		ndctl_bus_wait_probe(bus);
		ndctl_region_foreach(bus, region)
			if (!rc && ndctl_region_get_nstype(region) == ND_DEVICE_NAMESPACE_IO)
				rc = label_region(region);
	}
	ndctl_unref(ctx);
	return rc;
}

/*
 * A region without labels has one namespace that is the whole region, whatever
 * is in it: never free space, even while it is inactive.
 */
static bool can_hold(struct ndctl_region *region, __u64 size)
{
	return ndctl_region_get_type(region) == ND_DEVICE_REGION_PMEM &&
	       ndctl_region_get_nstype(region) == ND_DEVICE_NAMESPACE_PMEM &&
	       !ndctl_region_get_ro(region) &&
	       ndctl_region_is_enabled(region) &&
	       ndctl_region_get_max_available_extent(region) >= size;
}

static struct ndctl_region *find_region(struct ndctl_ctx *ctx, __u64 size)
{
	struct ndctl_bus *bus;

	ndctl_bus_foreach(ctx, bus) {
		struct ndctl_region *region;

		ndctl_bus_wait_probe(bus);
		ndctl_region_foreach(bus, region)
			if (can_hold(region, size))
				return region;
	}
	return NULL;
}

static void make_uuid(uuid_t uuid)
{
	if (getrandom(uuid, sizeof(uuid_t), 0) != sizeof(uuid_t))
		abort();	/* the kernel never gives less than 16 bytes */
	uuid[6] = (uuid[6] & 0x0f) | 0x40;	/* RFC 4122: version 4, random */
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
}

/* The sequence of drivers/nvdimm: an idle seed is configured, then enabled. */
static int configure(struct pmem *pmem, struct ndctl_region *region, __u64 size)
{
	struct ndctl_namespace *ndns = ndctl_region_get_namespace_seed(region);
	struct ndctl_pfn *pfn = ndctl_region_get_pfn_seed(region);
	uuid_t uuid;
	int rc;

	if (!ndns || !pfn)
		return why_set(EOPNOTSUPP, "no namespace seed in %s: CONFIG_NVDIMM_PFN is needed",
			       ndctl_region_get_devname(region));
	pmem->ndns = ndns;
	make_uuid(uuid);
	rc = ndctl_namespace_set_uuid(ndns, uuid) ?:
	     ndctl_namespace_set_alt_name(ndns, NAMESPACE_NAME) ?:
	     ndctl_namespace_set_size(ndns, size) ?:
	     ndctl_namespace_set_enforce_mode(ndns, NDCTL_NS_MODE_MEMORY);
	if (rc)
		return why_set(-rc, "cannot label %llu bytes of %s: %s", (unsigned long long)size,
			       ndctl_region_get_devname(region), strerror(-rc));

	make_uuid(uuid);
	rc = ndctl_pfn_set_uuid(pfn, uuid) ?:
	     ndctl_pfn_set_location(pfn, NDCTL_PFN_LOC_RAM) ?:
	     ndctl_pfn_set_namespace(pfn, ndns) ?:
	     ndctl_pfn_enable(pfn);
	if (rc)
		return why_set(-rc, "cannot enable fsdax mode on %s: %s",
			       ndctl_namespace_get_devname(ndns), strerror(-rc));
	pmem->pfn = pfn;
	snprintf(pmem->device, sizeof(pmem->device), "/dev/%s", ndctl_pfn_get_block_device(pfn));
	return 0;
}

int pmem_carve(__u64 size, struct pmem **result)
{
	struct ndctl_region *region;
	struct pmem *pmem;
	int rc;

	*result = NULL;
	pmem = calloc(1, sizeof(*pmem));
	if (!pmem || ndctl_new(&pmem->ctx)) {
		free(pmem);
		return why_set(ENOMEM, "cannot set up libndctl");
	}
	region = find_region(pmem->ctx, size);
	if (!region)
		rc = why_set(EOPNOTSUPP,
			     "no persistent memory region with %llu MiB of unallocated labelled capacity",
			     (unsigned long long)size >> 20);
	else
		rc = configure(pmem, region, size);
	if (rc) {
		/* What was only labelled is no namespace yet for pmem_destroy(). */
		if (pmem->ndns)
			ndctl_namespace_delete(pmem->ndns);
		ndctl_unref(pmem->ctx);
		free(pmem);
		return rc;
	}
	*result = pmem;
	return 0;
}

const char *pmem_device(const struct pmem *pmem)
{
	return pmem->device;
}

/*
 * The info block of fsdax mode (nd_pfn_sb, SZ_4K into the namespace) would
 * otherwise come back to life in whatever namespace gets this capacity next.
 */
static int zero_info_block(struct ndctl_namespace *ndns)
{
	static const char zeroes[4096];
	char path[64];
	int fd, rc;

	ndctl_namespace_set_raw_mode(ndns, 1);
	rc = ndctl_namespace_enable(ndns);
	if (rc < 0)
		return rc;
	snprintf(path, sizeof(path), "/dev/%s", ndctl_namespace_get_block_device(ndns));
	fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, zeroes, sizeof(zeroes), 4096) != sizeof(zeroes) || fsync(fd))
		rc = -errno;
	if (fd >= 0)
		close(fd);
	ndctl_namespace_disable_invalidate(ndns);
	ndctl_namespace_set_raw_mode(ndns, 0);
	return rc < 0 ? rc : 0;
}

int pmem_destroy(struct pmem *pmem)
{
	int rc = ndctl_namespace_disable_safe(pmem->ndns);

	/* disable_safe() answers 1 for "was not enabled". */
	rc = rc < 0 ? rc : zero_info_block(pmem->ndns);
	rc = rc < 0 ? rc : ndctl_namespace_delete(pmem->ndns);
	if (rc < 0)
		why_set(-rc, "cannot destroy the namespace of %s: %s", pmem->device, strerror(-rc));
	ndctl_unref(pmem->ctx);
	free(pmem);
	return rc < 0 ? rc : 0;
}
