// SPDX-License-Identifier: GPL-2.0
#include <errno.h>

#include "finding.h"
#include "memory/pmem.h"
#include "memory/pmem_guest.h"

static int left_out(void)
{
	return why_set(EOPNOTSUPP,
		       "built without libndctl: install libndctl-dev and build again, or name a directory in DAX_BREAK_PMEM");
}

int pmem_init_labels(void)
{
	return left_out();
}

int pmem_room(__u64 size)
{
	return left_out();
}

int pmem_whole(char *device, size_t len)
{
	return left_out();
}

int pmem_carve(__u64 size, const char *uuid, char *device, size_t len)
{
	return left_out();
}

int pmem_destroy(const char *uuid, long patience_ms)
{
	return left_out();
}

int pmem_find(const char *uuid, char *device, size_t len)
{
	return left_out();
}

int pmem_named(const char *name, const char *uuid, char *device, size_t len)
{
	return left_out();
}
