// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <libpmem2.h>

#include "finding.h"
#include "memory/persistence.h"

static const char *name_of(enum pmem2_granularity granularity)
{
	switch (granularity) {
	case PMEM2_GRANULARITY_BYTE:
		return "byte";
	case PMEM2_GRANULARITY_CACHE_LINE:
		return "cache line";
	default:
		return "page";
	}
}

static int map_file(struct pmem2_config *config, struct pmem2_source *source,
		    const char **granularity)
{
	struct pmem2_map *map;

	if (pmem2_map_new(&map, config, source))
		return why_set(EIO, "libpmem2 cannot map a file: %s", pmem2_errormsg());
	*granularity = name_of(pmem2_map_get_store_granularity(map));
	pmem2_map_delete(&map);
	return 0;
}

/* Not every kind of memory below DAX is one that the kernel keeps such a list of. */
static int check_bad_blocks(struct pmem2_source *source)
{
	struct pmem2_badblock_context *context;
	struct pmem2_badblock bad;
	int rc = 0;

	if (pmem2_badblock_context_new(&context, source))
		return 0;
	if (!pmem2_badblock_next(context, &bad))
		rc = why_set(EOPNOTSUPP,
			     "persistent memory with known bad blocks (%zu bytes at %zu of a file): use other memory",
			     bad.length, bad.offset);
	pmem2_badblock_context_delete(&context);
	return rc;
}

int persistence_of(int fd, const char **granularity)
{
	struct pmem2_config *config = NULL;
	struct pmem2_source *source = NULL;
	int rc;

	if (pmem2_config_new(&config) || pmem2_source_from_fd(&source, fd) ||
	    pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE))
		rc = why_set(EIO, "libpmem2 does not take a file: %s", pmem2_errormsg());
	else
		rc = check_bad_blocks(source) ?: map_file(config, source, granularity);
	pmem2_source_delete(&source);
	pmem2_config_delete(&config);
	return rc;
}
