// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "deadline.h"
#include "finding.h"
#include "testbed.h"
#include "victim.h"

/*
 * What operations may need for themselves: blocks of metadata, or to split an extent;
 * XFS lays 32 aside to copy on write, and has to be sure of some 60 to create a file.
 */
#define LEAVE_PAGES	160
/* More need not be taken: LEAVE_PAGES, and what tests free. */
#define MAX_PAGES	1024
/* Of a damaged page, as many bytes are shown. */
#define DUMP_BYTES	16

static __u64 free_bytes(int fd)
{
	struct statvfs st;

	return fstatvfs(fd, &st) ? 0 : (__u64)st.f_bfree * st.f_frsize;
}

void victim_recount(struct victim *victim)
{
	victim->left = free_bytes(victim->crowd);
}

int victim_crowd(struct victim *victim, const struct filesystem *fs)
{
	const char *dir = testbed_dir(fs);
	size_t page_size = sysconf(_SC_PAGESIZE);
	__u64 piece, leave = LEAVE_PAGES * page_size;
	off_t end = 0;

	*victim = (struct victim){ .dir = dir, .crowd = -1, .file.fd = -1 };
	if (testbed_require_own(fs))
		return -EOPNOTSUPP;
	victim->crowd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (victim->crowd < 0)
		return why_set(errno, "cannot create a file in %s: %s", dir, strerror(errno));
	victim->free = free_bytes(victim->crowd);
	/* As large as can be had, then smaller ones: some blocks are never given away. */
	piece = free_bytes(victim->crowd);
	while (piece >= page_size) {
		__u64 left = free_bytes(victim->crowd);

		if (left <= leave)
			break;
		if (piece > left - leave)
			piece = (left - leave) / page_size * page_size;
		if (!piece)
			break;
		if (!fallocate(victim->crowd, 0, end, piece))
			end += piece;
		else if (errno == ENOSPC)
			piece = piece / 2 / page_size * page_size;
		else
			return why_set(errno, "cannot fill %s: %s", dir, strerror(errno));
	}
	victim_recount(victim);
	return 0;
}

/*
 * Until so much is free; what a filesystem frees in the background (XFS: unlinked
 * inodes) takes a while. Freed blocks can be had again once the journal, or the log,
 * has been written.
 */
static int settle(int fd, __u64 bytes)
{
	long deadline = deadline_in(DEADLINE_MS);

	do {
		if (syncfs(fd))
			return why_set(errno, "syncfs failed: %s", strerror(errno));
		if (free_bytes(fd) >= bytes)
			return 0;
		deadline_pause();
	} while (!deadline_over(deadline));
	return why_set(ETIMEDOUT, "%llu bytes are free after %d s, not %llu",
		       (unsigned long long)free_bytes(fd), DEADLINE_MS / 1000,
		       (unsigned long long)bytes);
}

static int take(struct victim *victim)
{
	struct dax_file_spec spec = { .dir = victim->dir, .as_room_permits = true };

	spec.pages = free_bytes(victim->crowd) / sysconf(_SC_PAGESIZE);
	if (spec.pages > MAX_PAGES)
		spec.pages = MAX_PAGES;
	return dax_file_create(&victim->file, &spec);
}

int victim_take(struct victim *victim)
{
	int rc = settle(victim->crowd, victim->left + sysconf(_SC_PAGESIZE)) ?: take(victim);

	if (!rc && fsync(victim->file.fd))
		return why_set(errno, "fsync failed: %s", strerror(errno));
	return rc;
}

int victim_take_now(struct victim *victim)
{
	return settle(victim->crowd, 0) ?: take(victim);
}

long victim_page_at(const struct victim *victim, __u64 physical)
{
	for (unsigned int page = 0; physical && page < victim->file.pages; page++)
		if (dax_file_physical(&victim->file, page) == physical)
			return page;
	return -1;
}

/* How @page differs, with a dump from the first difference on. */
static int damaged(struct victim *victim, unsigned int page, const unsigned char *is,
		   const unsigned char *should)
{
	const struct dax_file *file = &victim->file;
	char hex[2][3 * DUMP_BYTES + 1];
	size_t from = 0, count = 0;

	while (is[from] == should[from])
		from++;
	victim->found = ((const __u64 *)is)[from / sizeof(__u64)];
	for (size_t i = from; i < file->page_size; i++)
		count += is[i] != should[i];
	from = from < file->page_size - DUMP_BYTES ? from : file->page_size - DUMP_BYTES;
	for (size_t i = 0; i < DUMP_BYTES; i++) {
		sprintf(hex[0] + 3 * i, " %02x", is[from + i]);
		sprintf(hex[1] + 3 * i, " %02x", should[from + i]);
	}
	return why_set(EIO,
		       "page %u of another file, at %#llx of the device, was overwritten: %zu bytes, from byte %zu%s, not%s",
		       page, (unsigned long long)dax_file_physical(file, page), count, from,
		       hex[0], hex[1]);
}

int victim_check(struct victim *victim)
{
	const struct dax_file *file = &victim->file;
	size_t words = file->page_size / sizeof(__u64);
	__u64 *is = malloc(2 * file->page_size), *should = is + words;
	int rc = is ? 0 : why_set(ENOMEM, "no memory for a buffer");

	for (unsigned int page = 0; !rc && page < file->pages; page++) {
		for (size_t i = 0; i < words; i++)
			should[i] = file->content[page];
		if (pread(file->fd, is, file->page_size, page * file->page_size) !=
		    (ssize_t)file->page_size)
			rc = why_set(EIO, "cannot read the victim: %s", strerror(errno));
		else if (memcmp(is, should, file->page_size))
			rc = damaged(victim, page, (void *)is, (void *)should);
	}
	free(is);
	return rc;
}

void victim_end(struct victim *victim)
{
	int dir = victim->dir ? open(victim->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (dir < 0)
		return;
	dax_file_close(&victim->file, false);
	if (victim->crowd >= 0)
		close(victim->crowd);
	/* Or the next one takes what is on its way back for what an operation freed. */
	if (settle(dir, victim->free))
		fprintf(stderr, "# %s: %s\n", victim->dir, why());
	close(dir);
	*victim = (struct victim){ .crowd = -1 };
}
