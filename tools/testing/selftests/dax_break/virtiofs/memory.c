// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "log.h"
#include "memory.h"

/* For RAM, and for each range of the largest window that the runner uses. */
#define MAX_REGIONS	600

static struct mapped {
	struct memory_region region;
	char *base;			/* NULL if unused */
} mapped[MAX_REGIONS];

void memory_add(const struct memory_region *region, int fd)
{
	struct mapped *m = mapped;

	while (m < mapped + MAX_REGIONS && m->base)
		m++;
	if (m == mapped + MAX_REGIONS)
		die("more than %d regions of memory", MAX_REGIONS);
	m->base = mmap(NULL, region->offset + region->size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (m->base == MAP_FAILED)
		die("cannot map the guest's memory: %s", strerror(errno));
	m->region = *region;
}

static void unmap(struct mapped *m)
{
	munmap(m->base, m->region.offset + m->region.size);
	m->base = NULL;
}

void memory_remove(const struct memory_region *region)
{
	for (struct mapped *m = mapped; m < mapped + MAX_REGIONS; m++)
		if (m->base && m->region.guest == region->guest &&
		    m->region.size == region->size && m->region.user == region->user) {
			unmap(m);
			return;
		}
}

void memory_remove_all(void)
{
	for (struct mapped *m = mapped; m < mapped + MAX_REGIONS; m++)
		if (m->base)
			unmap(m);
}

void *memory_at(__u64 guest, size_t *len)
{
	for (struct mapped *m = mapped; m < mapped + MAX_REGIONS; m++) {
		__u64 at = guest - m->region.guest;

		if (!m->base || at >= m->region.size)
			continue;
		if (*len > m->region.size - at)
			*len = m->region.size - at;
		return m->base + m->region.offset + at;
	}
	return NULL;
}

void *memory_at_user(__u64 user)
{
	for (struct mapped *m = mapped; m < mapped + MAX_REGIONS; m++)
		if (m->base && user - m->region.user < m->region.size)
			return m->base + m->region.offset + (user - m->region.user);
	return NULL;
}
