// SPDX-License-Identifier: GPL-2.0
#include <blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "finding.h"
#include "memory/signature.h"

/* Looks for everything; NULL if there is no memory for it, or @fd cannot be read. */
static blkid_probe probe(int fd)
{
	blkid_probe pr = blkid_new_probe();

	if (!pr)
		return NULL;
	if (blkid_probe_set_device(pr, fd, 0, 0) ||
	    blkid_probe_enable_superblocks(pr, 1) ||
	    blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID |
					      BLKID_SUBLKS_MAGIC) ||
	    blkid_probe_enable_partitions(pr, 1) ||
	    blkid_probe_set_partitions_flags(pr, BLKID_PARTS_MAGIC)) {
		blkid_free_probe(pr);
		return NULL;
	}
	return pr;
}

static const char *value_of(blkid_probe pr, const char *name)
{
	const char *value;

	return blkid_probe_lookup_value(pr, name, &value, NULL) ? NULL : value;
}

/* blkid_do_probe() answers 0 for something, 1 for nothing. */
int signature_require_none(int fd, const char *path)
{
	blkid_probe pr = probe(fd);
	int found = pr ? blkid_do_probe(pr) : -1;
	const char *type = NULL;
	int rc = 0;

	if (!found)
		type = value_of(pr, "TYPE") ?: value_of(pr, "PTTYPE") ?: "something";
	if (type)
		rc = why_set(EOPNOTSUPP,
			     "%s holds %s, and data is never wiped: if it may go, run wipefs -a %s",
			     path, type, path);
	else if (found != 1)
		rc = why_set(EOPNOTSUPP, "libblkid cannot tell what is on %s", path);
	blkid_free_probe(pr);
	return rc;
}

int signature_uuid(int fd, char *uuid, size_t size)
{
	blkid_probe pr = probe(fd);
	const char *seen = pr && !blkid_do_probe(pr) ? value_of(pr, "UUID") : NULL;
	int rc = seen ? 0 : why_set(EIO, "libblkid does not find what mkfs has made");

	if (seen)
		snprintf(uuid, size, "%s", seen);
	blkid_free_probe(pr);
	return rc;
}

static int check(blkid_probe pr, const char *uuid)
{
	int found = pr ? blkid_do_probe(pr) : -1;
	const char *seen = found ? NULL : value_of(pr, "UUID");

	return seen && !strcasecmp(seen, uuid) ? 0 : -ENODATA;
}

int signature_expect(const char *path, const char *uuid)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	blkid_probe pr = fd < 0 ? NULL : probe(fd);
	int rc = check(pr, uuid);

	blkid_free_probe(pr);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* A filesystem of a process that was just killed may take a moment to go. */
static int claim(const char *path)
{
	long deadline = deadline_in(DEADLINE_MS);
	int fd;

	while ((fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC)) < 0 && errno == EBUSY &&
	       !deadline_over(deadline))
		deadline_pause();
	return fd;
}

int signature_wipe(const char *path, const char *uuid)
{
	blkid_probe pr;
	int fd, rc = 0;

	/* No need to claim it, which somebody else may have done. */
	if (signature_expect(path, uuid))
		return 0;
	fd = claim(path);
	if (fd < 0)
		return why_set(errno, "cannot wipe %s: %s", path, strerror(errno));
	/* Several magic numbers may lead to one filesystem: until it is not found. */
	for (;;) {
		pr = probe(fd);
		if (check(pr, uuid))
			break;
		if (blkid_do_wipe(pr, 0)) {
			rc = why_set(EIO, "cannot wipe the filesystem off %s", path);
			break;
		}
		blkid_free_probe(pr);
	}
	blkid_free_probe(pr);
	if (fsync(fd) && !rc)
		rc = why_set(errno, "cannot wipe %s: %s", path, strerror(errno));
	close(fd);
	return rc;
}
