// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/fs.h>

#include "base/proc.h"
#include "filesystem/make.h"
#include "finding.h"
#include "memory/signature.h"
#include "testbed/claim.h"

/* The first entry of directory @path that begins with @prefix; false: none. */
static bool find_entry(const char *path, const char *prefix, char *name, size_t size)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		found = entry->d_name[0] != '.' && !strncmp(entry->d_name, prefix, strlen(prefix));
		if (found)
			snprintf(name, size, "%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* What the kernel knows about the device called @disk. */
static int check_sysfs(const char *disk)
{
	char path[300], name[256], bad[64];

	snprintf(path, sizeof(path), "/sys/block/%s/holders", disk);
	if (find_entry(path, "", name, sizeof(name)))
		return why_set(EOPNOTSUPP, "/dev/%s is part of %s", disk, name);
	snprintf(path, sizeof(path), "/sys/block/%s", disk);
	if (find_entry(path, disk, name, sizeof(name)))
		return why_set(EOPNOTSUPP, "/dev/%s has a partition, %s", disk, name);
	/* "SECTOR COUNT" a line; by the namespace, libndctl does not know all of them. */
	proc_text(bad, sizeof(bad), "/sys/block/%s/badblocks", disk);
	bad[strcspn(bad, "\n")] = '\0';
	if (bad[0])
		return why_set(EOPNOTSUPP, "/dev/%s has known bad blocks, at sector %s", disk,
			       bad);
	return 0;
}

static int check(const struct filesystem *fs, int fd, const char *path)
{
	__u64 size;
	int rc = check_sysfs(strrchr(path, '/') + 1) ?:
		 signature_require_none(fd, path);

	if (rc)
		return rc;
	if (ioctl(fd, BLKGETSIZE64, &size))
		return why_set(errno, "cannot tell the size of %s: %s", path, strerror(errno));
	if (size < fs->namespace_size)
		return why_set(EOPNOTSUPP, "%s is too small: %s takes %llu MiB", path, fs->name,
			       (unsigned long long)fs->namespace_size >> 20);
	return 0;
}

/* What is a hole of @image is zeroes on the device, as mkfs may count on. */
static int copy(int image, int fd, __u64 size)
{
	__u64 all[] = { 0, size };
	char buffer[65536];
	off_t at = 0;

	if (ioctl(fd, BLKZEROOUT, all))
		return -errno;
	while ((at = lseek(image, at, SEEK_DATA)) >= 0) {
		ssize_t n = pread(image, buffer, sizeof(buffer), at);

		if (n <= 0 || pwrite(fd, buffer, n, at) != n)
			return -EIO;
		at += n;
	}
	return fsync(fd) ? -errno : 0;
}

/* A file in memory, with the filesystem in it: a descriptor. */
static int make_image(const struct filesystem *fs)
{
	int image = memfd_create(fs->name, MFD_CLOEXEC);
	char path[64];
	int rc;

	if (image < 0)
		return why_set(errno, "no memory to make %s in: %s", fs->name, strerror(errno));
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), image);
	if (ftruncate(image, fs->namespace_size))
		rc = why_set(errno, "no memory to make %s in: %s", fs->name, strerror(errno));
	else
		rc = filesystem_format(fs, path);
	if (!rc)
		return image;
	close(image);
	return rc;
}

int claim_and_format(const struct filesystem *fs, const char *path, const char *namespace,
		     const struct ledger *ledger, char *uuid, size_t size)
{
	int fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	char both[96];
	int image, rc;

	if (fd < 0 && errno == EBUSY)
		return why_set(EOPNOTSUPP, "%s is in use: mounted, swap, or part of another device",
			       path);
	if (fd < 0)
		return why_set(errno, "cannot open %s: %s", path, strerror(errno));
	rc = check(fs, fd, path);
	if (rc)
		goto close;
	image = make_image(fs);
	rc = image < 0 ? image : signature_uuid(image, uuid, size);
	if (!rc) {
		snprintf(both, sizeof(both), "%s %s", uuid, namespace);
		rc = ledger_note(ledger, "signature", both);
	}
	if (!rc) {
		rc = copy(image, fd, fs->namespace_size);
		if (rc)
			why_set(-rc, "cannot write %s to %s: %s", fs->name, path, strerror(-rc));
	}
	if (image >= 0)
		close(image);
close:
	close(fd);
	return rc;
}
