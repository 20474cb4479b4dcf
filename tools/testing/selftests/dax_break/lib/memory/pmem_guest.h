/* SPDX-License-Identifier: GPL-2.0 */
/* Persistent memory of throw-away guests: all of it is there to be overwritten. */
#ifndef DAX_BREAK_PMEM_GUEST_H
#define DAX_BREAK_PMEM_GUEST_H

#include <stddef.h>

/*
 * Makes the capacity of DIMMs without labels allocatable, by writing empty label areas;
 * the NVDIMMs of these guests start like that. -EOPNOTSUPP: a DIMM takes no labels.
 */
int pmem_init_labels(void);

/*
 * A region without labels (memmap=, virtio-pmem) that nobody uses now, as one block device,
 * whatever it holds. -EOPNOTSUPP: there is none.
 */
int pmem_whole(char *device, size_t len);

#endif
