/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stray accesses: memory that appears in a memfd where there should be a hole.
 *
 * Any access through a mapping, even a load, fills the hole in that page with zeroes
 * (shmem_fault() of mm/shmem.c). So a page that is there shows that somebody has accessed
 * it, and a byte in it that is not zero shows that somebody has written to it. Offsets are
 * in bytes.
 */
#ifndef VIRTIOFS_STRAY_H
#define VIRTIOFS_STRAY_H

#include <stdbool.h>
#include <sys/types.h>

struct stray {
	bool written;			/* or just accessed */
	off_t at;			/* the first byte written, or the first page */
	char bytes[3 * 8 + 1];		/* what was written there: " 6c 61 74 65 00 00 00 00" */
};

/* Looks for pages in [@start, @end) of @fd; false if there are none. */
bool stray_find(int fd, off_t start, off_t end, struct stray *stray);

/* Makes a hole of the range again, so that the same access is not found twice. */
void stray_remove(int fd, off_t start, off_t end);

#endif
