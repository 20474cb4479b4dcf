// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <linux/ndctl.h>
#include <ndctl/libndctl.h>

#include "memory/pmem_guest.h"
#include "why.h"

/* Lets @visit have every region, up to the first for which it returns something but 0. */
static int each_region(int (*visit)(struct ndctl_region *region, void *arg), void *arg)
{
	struct ndctl_ctx *ctx;
	struct ndctl_bus *bus;
	int rc = 0;

	if (ndctl_new(&ctx))
		return why_set(ENOMEM, "cannot set up libndctl");
	ndctl_bus_foreach(ctx, bus) {
		struct ndctl_region *region;

		ndctl_bus_wait_probe(bus);
		ndctl_region_foreach(bus, region) {
			rc = visit(region, arg);
			if (rc)
				goto out;
		}
	}
out:
	ndctl_unref(ctx);
	return rc;
}

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

/* A region without DIMMs has nowhere to keep labels. What goes wrong is in @arg. */
static int label_if_none(struct ndctl_region *region, void *arg)
{
	int *rc = arg;

	if (ndctl_region_get_nstype(region) == ND_DEVICE_NAMESPACE_IO &&
	    ndctl_region_get_mappings(region))
		*rc = label_region(region) ?: *rc;
	return 0;
}

int pmem_init_labels(void)
{
	int labelled = 0;
	int rc = each_region(label_if_none, &labelled);

	return rc ?: labelled;
}

struct path {
	char *text;
	size_t size;
};

/* 1 and its block device, if @region has no labels and nobody uses it. */
static int take_whole(struct ndctl_region *region, void *arg)
{
	struct ndctl_namespace *ndns = ndctl_namespace_get_first(region);
	struct path *device = arg;
	int fd;

	if (ndctl_region_get_nstype(region) != ND_DEVICE_NAMESPACE_IO ||
	    ndctl_region_get_ro(region) || !ndns || !ndctl_namespace_is_enabled(ndns))
		return 0;
	snprintf(device->text, device->size, "/dev/%s", ndctl_namespace_get_block_device(ndns));
	fd = open(device->text, O_RDWR | O_EXCL | O_CLOEXEC);
	if (fd < 0)
		return 0;
	close(fd);
	return 1;
}

int pmem_whole(char *device, size_t len)
{
	struct path path = { device, len };
	int found = each_region(take_whole, &path);

	if (found)
		return found < 0 ? found : 0;
	return why_set(EOPNOTSUPP, "no persistent memory region without labels that nobody uses");
}
