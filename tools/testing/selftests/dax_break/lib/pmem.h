/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Persistent memory: fsdax namespaces carved out of unallocated capacity.
 *
 * Only capacity that no label claims is ever used, so nobody's data can be in
 * the way; what was carved is destroyed again. Works on regions with labels
 * (NVDIMM and CXL memory, QEMU's -device nvdimm with a label-size).
 */
#ifndef DAX_BREAK_PMEM_H
#define DAX_BREAK_PMEM_H

#include <linux/types.h>

struct pmem;

/*
 * Makes the capacity of regions without labels allocatable, by writing empty
 * label areas. Whatever such a region held is lost: only for throw-away guests,
 * whose NVDIMMs start like that. -EOPNOTSUPP: a DIMM takes no labels.
 */
int pmem_init_labels(void);

/*
 * Carves @size bytes as a namespace in fsdax mode. Its struct pages live in
 * RAM, so all but the first alignment unit of @size is usable.
 * The caller owns *@pmem and ends it with pmem_destroy().
 * -EOPNOTSUPP: no region with that much free capacity.
 */
int pmem_carve(__u64 size, struct pmem **pmem);

/* Path of the block device, e.g. /dev/pmem0; owned by @pmem. */
const char *pmem_device(const struct pmem *pmem);

/* Disables and deletes the namespace; nothing may be mounted on it. */
int pmem_destroy(struct pmem *pmem);

#endif
