// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>
#include <linux/ndctl.h>
#include <ndctl/libndctl.h>

#include "finding.h"
#include "memory/pmem.h"
#include "memory/pmem_guest.h"

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
	struct ndctl_region *region = NULL;
	struct ndctl_ctx *ctx;
	int rc = pmem_open(&ctx);

	if (rc)
		return rc;
	while ((region = pmem_next_region(ctx, region)))
		/* A region without DIMMs has nowhere to keep labels. */
		if (ndctl_region_get_nstype(region) == ND_DEVICE_NAMESPACE_IO &&
		    ndctl_region_get_mappings(region))
			rc = label_region(region) ?: rc;
	ndctl_unref(ctx);
	return rc;
}

/* Has @region no labels, and does nobody use it? Then @device becomes its block device. */
static bool take_whole(struct ndctl_region *region, char *device, size_t len)
{
	struct ndctl_namespace *ndns = ndctl_namespace_get_first(region);
	int fd;

	if (ndctl_region_get_nstype(region) != ND_DEVICE_NAMESPACE_IO ||
	    ndctl_region_get_ro(region) || !ndns || !ndctl_namespace_is_enabled(ndns))
		return false;
	snprintf(device, len, "/dev/%s", ndctl_namespace_get_block_device(ndns));
	fd = open(device, O_RDWR | O_EXCL | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int pmem_whole(char *device, size_t len)
{
	struct ndctl_region *region = NULL;
	struct ndctl_ctx *ctx;
	int rc = pmem_open(&ctx);

	if (rc)
		return rc;
	do {
		region = pmem_next_region(ctx, region);
	} while (region && !take_whole(region, device, len));
	if (!region)
		rc = why_set(EOPNOTSUPP,
			     "no persistent memory region without labels that nobody uses");
	ndctl_unref(ctx);
	return rc;
}
