// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "stray.h"
#include "vhost_user.h"
#include "window.h"

static struct range {
	enum { EMPTY, FILE_THERE, TRAP } state;
	__u64 node;			/* number of the file that is there, or was */
	__u64 offset;			/* in that file */
} *ranges;

static unsigned int nr_ranges;
/* A memfd as large as the window. A trap shows the guest the same range of it. */
static int trap = -1;

void window_init(__u64 size)
{
	nr_ranges = size / RANGE_SIZE;
	ranges = calloc(nr_ranges, sizeof(*ranges));
	trap = memfd_create("trap", MFD_CLOEXEC);
	if (!ranges || trap < 0 || ftruncate(trap, size))
		die("no memory for a window of %llu bytes", (unsigned long long)size);
}

/* Complains if range @i is a trap and was accessed. */
static void look(unsigned int i, const char *when)
{
	const __u64 at = i * RANGE_SIZE;
	const struct range *range = &ranges[i];
	struct stray stray;

	if (range->state != TRAP || !stray_find(trap, at, at + RANGE_SIZE, &stray))
		return;
	complain("what was byte %llu of file %llu was %s%s after it had been given back (seen %s)",
		 (unsigned long long)(range->offset + stray.at - at),
		 (unsigned long long)range->node, stray.written ? "written to" : "read",
		 stray.bytes, when);
	stray_remove(trap, at, at + RANGE_SIZE);
}

/* Unmaps what the guest sees in range @i. */
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

int window_map(__u64 node, int fd, __u64 offset, __u64 at)
{
	unsigned int i = at / RANGE_SIZE;
	struct range *range = &ranges[i];
	int rc;

	if (at % RANGE_SIZE || offset % RANGE_SIZE || i >= nr_ranges)
		return -EINVAL;
	/* The guest makes a range writable by mapping it again; here all of them are. */
	if (range->state == FILE_THERE && range->node == node && range->offset == offset)
		return 0;
	look(i, "until it was used again");
	rc = clear(i) ?: shmem_map(fd, offset, at, RANGE_SIZE);
	if (!rc)
		*range = (struct range){ FILE_THERE, node, offset };
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

void window_forget(__u64 node)
{
	for (unsigned int i = 0; i < nr_ranges; i++)
		if (ranges[i].state == FILE_THERE && ranges[i].node == node) {
			complain("range %u of the window still shows file %llu, which is gone", i,
				 (unsigned long long)node);
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
