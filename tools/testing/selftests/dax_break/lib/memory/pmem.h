/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Persistent memory: namespaces in fsdax mode that we carve out of unallocated capacity,
 * or that the user has named.
 *
 * Carving only uses capacity that no label claims, so nobody's data can be in the way;
 * it works on regions with labels (NVDIMM and CXL memory, QEMU's -device nvdimm with a
 * label-size). A namespace is known by its UUID, in lower case, as libndctl and
 * ndctl(1) show it.
 */
#ifndef DAX_BREAK_PMEM_H
#define DAX_BREAK_PMEM_H

#include <stddef.h>
#include <linux/types.h>

struct ndctl_ctx;
struct ndctl_region;

/* Sets up libndctl; the caller ends it with ndctl_unref(). 0 or -ENOMEM. */
int pmem_open(struct ndctl_ctx **ctx);

/* The region after @region, the first one for NULL; NULL after the last. */
struct ndctl_region *pmem_next_region(struct ndctl_ctx *ctx, struct ndctl_region *region);

/*
 * 0 if there is something that pmem_carve() could take @size bytes from. Changes nothing.
 * -EOPNOTSUPP: no region with that much free capacity.
 */
int pmem_room(__u64 size);

/*
 * Carves @size bytes as a namespace with @uuid, and names it NAMESPACE_NAME. Its struct
 * pages live in RAM, so all but the first alignment unit of @size is usable. @device
 * becomes the path of its block device. The namespace stays until pmem_destroy().
 * -EOPNOTSUPP: no pmem_room().
 */
int pmem_carve(__u64 size, const char *uuid, char *device, size_t len);

/* Seen by whoever lists namespaces while a test runs. */
#define NAMESPACE_NAME	"dax_break"

/*
 * Disables and deletes the namespace that pmem_carve() has made, or began to make, with
 * this @uuid; one that is not there, or has got another name, is left alone. Nothing may
 * be mounted on it, or only for @patience_ms more.
 */
int pmem_destroy(const char *uuid, long patience_ms);

/*
 * The block device of the namespace with this @uuid, active and in fsdax mode.
 * -ENOENT: there is none.
 */
int pmem_find(const char *uuid, char *device, size_t len);

/*
 * The same for the namespace called @name, e.g. namespace1.0. -EOPNOTSUPP: that
 * is another one, not active, not in fsdax mode, or read-only.
 */
int pmem_named(const char *name, const char *uuid, char *device, size_t len);

#endif
