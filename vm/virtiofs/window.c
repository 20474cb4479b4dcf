// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "checker.h"
#include "log.h"
#include "shmem.h"
#include "window.h"

static struct range {
	enum { EMPTY, FILE_THERE, TRAP } state;
	__u64 node;			/* number of the file that is, or was there */
	__u64 offset;			/* in it */
} *ranges;

static unsigned int nr_ranges;
/* As large as the window: what is written to a trap is found at the same place here. */
static int trap = -1;

void window_init(__u64 size)
{
	nr_ranges = size / RANGE_SIZE;
	ranges = calloc(nr_ranges, sizeof(*ranges));
	trap = memfd_create("trap", MFD_CLOEXEC);
	if (!ranges || trap < 0 || ftruncate(trap, size))
		die("no memory for a window of %llu bytes", (unsigned long long)size);
}

static void look(unsigned int i, const char *when)
{
	if (ranges[i].state == TRAP)
		checker_look_at_trap(trap, i * RANGE_SIZE, ranges[i].node, ranges[i].offset, when);
}

/* Takes away what is there. */
static int clear(unsigned int i)
{
	int rc = ranges[i].state == EMPTY ? 0 : shmem_unmap(i * RANGE_SIZE, RANGE_SIZE);

	ranges[i].state = EMPTY;
	return rc;
}

static int set_trap(unsigned int i)
{
	int rc = clear(i) ?: shmem_map(trap, i * RANGE_SIZE, i * RANGE_SIZE, RANGE_SIZE);

	ranges[i].state = rc ? EMPTY : TRAP;
	return rc;
}

int window_map(struct node *node, __u64 offset, __u64 at)
{
	unsigned int i = at / RANGE_SIZE;
	struct range *range = &ranges[i];
	int rc;

	if (at % RANGE_SIZE || offset % RANGE_SIZE || i >= nr_ranges)
		return -EINVAL;
	/* From read-only to writable, which makes no difference here. */
	if (range->state == FILE_THERE && range->node == node->id && range->offset == offset)
		return 0;
	look(i, "until it was used again");
	rc = clear(i) ?:
	     store_reserve(node, offset + RANGE_SIZE) ?:
	     shmem_map(node->fd, offset, at, RANGE_SIZE);
	if (!rc)
		*range = (struct range){ FILE_THERE, node->id, offset };
	return rc;
}

int window_unmap(__u64 at, __u64 len)
{
	int rc = 0;

	for (unsigned int i = at / RANGE_SIZE; !rc && i < nr_ranges && i * RANGE_SIZE < at + len;
	     i++)
		if (ranges[i].state == FILE_THERE)
			rc = set_trap(i);
	return rc;
}

void window_forget(const struct node *node)
{
	for (unsigned int i = 0; i < nr_ranges; i++)
		if (ranges[i].state == FILE_THERE && ranges[i].node == node->id) {
			complain("range %u of the window still shows file %llu, which is gone", i,
				 (unsigned long long)node->id);
			set_trap(i);
		}
}

unsigned int window_ranges(void)
{
	return nr_ranges;
}

void window_look(const char *when)
{
	for (unsigned int i = 0; i < nr_ranges; i++)
		look(i, when);
}
