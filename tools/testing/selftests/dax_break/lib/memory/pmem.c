// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/ndctl.h>
#include <ndctl/libndctl.h>

#include "deadline.h"
#include "finding.h"
#include "memory/pmem.h"

int pmem_open(struct ndctl_ctx **ctx)
{
	return ndctl_new(ctx) ? why_set(ENOMEM, "cannot set up libndctl") : 0;
}

struct ndctl_region *pmem_next_region(struct ndctl_ctx *ctx, struct ndctl_region *region)
{
	struct ndctl_bus *bus = region ? ndctl_region_get_bus(region) : NULL;

	region = region ? ndctl_region_get_next(region) : NULL;
	while (!region && (bus = bus ? ndctl_bus_get_next(bus) : ndctl_bus_get_first(ctx))) {
		ndctl_bus_wait_probe(bus);
		region = ndctl_region_get_first(bus);
	}
	return region;
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
	struct ndctl_region *region = pmem_next_region(ctx, NULL);

	while (region && !can_hold(region, size))
		region = pmem_next_region(ctx, region);
	return region;
}

static int no_room(__u64 size)
{
	return why_set(EOPNOTSUPP,
		       "no persistent memory region with %llu MiB of unallocated labelled capacity",
		       (unsigned long long)size >> 20);
}

int pmem_room(__u64 size)
{
	struct ndctl_ctx *ctx;
	int rc = pmem_open(&ctx);

	if (rc)
		return rc;
	if (!find_region(ctx, size))
		rc = no_room(size);
	ndctl_unref(ctx);
	return rc;
}

static bool parse_uuid(const char *text, uuid_t uuid)
{
	char digits[2 * sizeof(uuid_t) + 1] = "";
	size_t len = 0;

	for (; *text; text++)
		if (*text != '-' && len < sizeof(digits) - 1)
			digits[len++] = *text;
	for (size_t i = 0; i < sizeof(uuid_t); i++)
		if (sscanf(digits + 2 * i, "%2hhx", &uuid[i]) != 1)
			return false;
	return true;
}

/* The sequence of drivers/nvdimm: an idle seed is configured, then enabled. */
static int configure(struct ndctl_namespace *ndns, struct ndctl_pfn *pfn, uuid_t uuid,
		     __u64 size)
{
	int rc;

	rc = ndctl_namespace_set_uuid(ndns, uuid) ?:
	     ndctl_namespace_set_alt_name(ndns, NAMESPACE_NAME) ?:
	     ndctl_namespace_set_size(ndns, size) ?:
	     ndctl_namespace_set_enforce_mode(ndns, NDCTL_NS_MODE_MEMORY);
	if (rc)
		return why_set(-rc, "cannot label %llu bytes as %s: %s", (unsigned long long)size,
			       ndctl_namespace_get_devname(ndns), strerror(-rc));

	/* That of its info block: any will do, and this one tells whose it is. */
	rc = ndctl_pfn_set_uuid(pfn, uuid) ?:
	     ndctl_pfn_set_location(pfn, NDCTL_PFN_LOC_RAM) ?:
	     ndctl_pfn_set_namespace(pfn, ndns) ?:
	     ndctl_pfn_enable(pfn);
	if (rc)
		return why_set(-rc, "cannot enable fsdax mode on %s: %s",
			       ndctl_namespace_get_devname(ndns), strerror(-rc));
	return 0;
}

static int carve(struct ndctl_ctx *ctx, __u64 size, uuid_t uuid, char *device, size_t len)
{
	struct ndctl_region *region = find_region(ctx, size);
	struct ndctl_namespace *ndns = region ? ndctl_region_get_namespace_seed(region) : NULL;
	struct ndctl_pfn *pfn = region ? ndctl_region_get_pfn_seed(region) : NULL;
	int rc;

	if (!region)
		return no_room(size);
	if (!ndns || !pfn)
		return why_set(EOPNOTSUPP, "no namespace seed in %s: CONFIG_NVDIMM_PFN is needed",
			       ndctl_region_get_devname(region));
	/* The next seed comes with the capacity of this one taken. */
	if (ndctl_namespace_get_size(ndns))
		return why_set(EBUSY, "%s is being configured by somebody else",
			       ndctl_namespace_get_devname(ndns));
	rc = configure(ndns, pfn, uuid, size);
	if (rc)
		return rc;
	snprintf(device, len, "/dev/%s", ndctl_pfn_get_block_device(pfn));
	if (ndctl_namespace_get_first_badblock(ndns))
		return why_set(EOPNOTSUPP, "the unallocated capacity has known bad blocks");
	return 0;
}

int pmem_carve(__u64 size, const char *uuid_text, char *device, size_t len)
{
	struct ndctl_ctx *ctx;
	uuid_t uuid;
	int rc;

	if (!parse_uuid(uuid_text, uuid))
		return why_set(EINVAL, "%s is not a UUID", uuid_text);
	rc = pmem_open(&ctx);
	if (rc)
		return rc;
	rc = carve(ctx, size, uuid, device, len);
	ndctl_unref(ctx);
	return rc;
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

/* Its pfn device, be it active, or only pointed at the namespace so far. */
static struct ndctl_pfn *pfn_of(struct ndctl_namespace *ndns)
{
	struct ndctl_region *region = ndctl_namespace_get_region(ndns);
	struct ndctl_pfn *pfn;

	ndctl_pfn_foreach(region, pfn)
		if (ndctl_pfn_get_namespace(pfn) == ndns)
			return pfn;
	return NULL;
}

/* Is @uuid that of its label, or with @any, of its info block (as ndctl(1) shows it)? */
static bool has_uuid(struct ndctl_namespace *ndns, uuid_t uuid, bool any)
{
	struct ndctl_pfn *pfn = any ? pfn_of(ndns) : NULL;
	uuid_t label, info = { 0 };

	ndctl_namespace_get_uuid(ndns, label);
	if (pfn)
		ndctl_pfn_get_uuid(pfn, info);
	return !memcmp(label, uuid, sizeof(label)) || (pfn && !memcmp(info, uuid, sizeof(info)));
}

static struct ndctl_namespace *find(struct ndctl_ctx *ctx, const char *uuid_text, bool any)
{
	struct ndctl_region *region = NULL;
	struct ndctl_namespace *ndns;
	uuid_t uuid;

	if (!parse_uuid(uuid_text, uuid))
		return NULL;
	while ((region = pmem_next_region(ctx, region)))
		ndctl_namespace_foreach(region, ndns)
			if (has_uuid(ndns, uuid, any))
				return ndns;
	return NULL;
}

/* Waits until nobody has its block device, which may not be there at all. */
static void await_release(struct ndctl_pfn *pfn, long ms)
{
	long deadline = deadline_in(ms);
	char path[64];
	int fd;

	if (!pfn || !ndctl_pfn_is_enabled(pfn))
		return;
	snprintf(path, sizeof(path), "/dev/%s", ndctl_pfn_get_block_device(pfn));
	while ((fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC)) < 0 && errno == EBUSY &&
	       !deadline_over(deadline))
		deadline_pause();
	if (fd >= 0)
		close(fd);
}

static int destroy(struct ndctl_namespace *ndns, long patience_ms)
{
	bool labelled = ndctl_namespace_get_size(ndns);
	struct ndctl_pfn *pfn = pfn_of(ndns);
	int rc;

	await_release(pfn, patience_ms);
	/* Answers 1 for "was not enabled". */
	rc = ndctl_namespace_disable_safe(ndns);
	if (rc >= 0) {
		/* What disable_safe() leaves: a pfn device that was never enabled. */
		pfn = pfn_of(ndns);
		rc = pfn ? ndctl_pfn_delete(pfn) : 0;
	}
	if (rc >= 0 && labelled)
		rc = zero_info_block(ndns);
	if (rc >= 0) {
		/* Neither goes with the label. */
		ndctl_namespace_set_enforce_mode(ndns, NDCTL_NS_MODE_RAW);
		ndctl_namespace_set_alt_name(ndns, "");
		rc = ndctl_namespace_delete(ndns);
	}
	return rc < 0 ? rc : 0;
}

/* Nobody has given it another name. Until it has a size, and while it goes, it has none. */
static bool has_our_name(struct ndctl_namespace *ndns)
{
	const char *name = ndctl_namespace_get_alt_name(ndns);

	return !name[0] || !strcmp(name, NAMESPACE_NAME);
}

int pmem_destroy(const char *uuid, long patience_ms)
{
	struct ndctl_namespace *ndns;
	struct ndctl_ctx *ctx;
	int rc = pmem_open(&ctx);

	if (rc)
		return rc;
	ndns = find(ctx, uuid, false);
	if (ndns && has_our_name(ndns))
		rc = destroy(ndns, patience_ms);
	if (rc)
		why_set(-rc, "cannot destroy the namespace %s: %s", uuid, strerror(-rc));
	ndctl_unref(ctx);
	return rc;
}

/* 0 and its block device, if @ndns is active and in fsdax mode. */
static int usable(struct ndctl_namespace *ndns, char *device, size_t len)
{
	struct ndctl_pfn *pfn = ndctl_namespace_get_pfn(ndns);
	const char *name = ndctl_namespace_get_devname(ndns);

	if (ndctl_namespace_get_mode(ndns) != NDCTL_NS_MODE_MEMORY || !pfn)
		return why_set(EOPNOTSUPP,
			       "%s is not in fsdax mode: if its data may go, run ndctl create-namespace -f -e %s -m fsdax",
			       name, name);
	if (!ndctl_pfn_is_enabled(pfn))
		return why_set(EOPNOTSUPP, "%s is not active: ndctl enable-namespace %s", name,
			       name);
	if (ndctl_region_get_ro(ndctl_namespace_get_region(ndns)))
		return why_set(EOPNOTSUPP, "%s is read-only", name);
	if (ndctl_namespace_get_first_badblock(ndns))
		return why_set(EOPNOTSUPP, "%s has known bad blocks: name another namespace", name);
	snprintf(device, len, "/dev/%s", ndctl_pfn_get_block_device(pfn));
	return 0;
}

/* The namespace with this @uuid; it has to be called @name, too, unless that is NULL. */
static int find_usable(const char *name, const char *uuid, char *device, size_t len)
{
	struct ndctl_namespace *ndns;
	struct ndctl_ctx *ctx;
	int rc = pmem_open(&ctx);

	if (rc)
		return rc;
	ndns = find(ctx, uuid, true);
	if (ndns && (!name || !strcmp(ndctl_namespace_get_devname(ndns), name)))
		rc = usable(ndns, device, len);
	else
		rc = why_set(EOPNOTSUPP, "%s does not have the UUID %s: compare ndctl list -N",
			     name ?: "no namespace", uuid);
	ndctl_unref(ctx);
	return rc;
}

int pmem_find(const char *uuid, char *device, size_t len)
{
	int rc = find_usable(NULL, uuid, device, len);

	return rc == -EOPNOTSUPP ? why_set(ENOENT, "there is no active namespace %s", uuid) : rc;
}

int pmem_named(const char *name, const char *uuid, char *device, size_t len)
{
	return find_usable(name, uuid, device, len);
}
