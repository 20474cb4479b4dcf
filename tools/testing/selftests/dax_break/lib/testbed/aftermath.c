// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "deadline.h"
#include "filesystem/make.h"
#include "finding.h"
#include "testbed.h"
#include "testbed/aftermath.h"

struct counters {
	long pinned;		/* pages, by FOLL_PIN */
	long pmd_mapped;	/* pages of files, by PMDs */
};

static struct counters counted;
static unsigned long long free_at_first[FILESYSTEMS_MAX];	/* blocks, by filesystem_index() */

static void read_counters(struct counters *counters)
{
	FILE *f;
	char name[64];
	long value;
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);

	/* Processors count for themselves, until asked. Without asking it takes a second. */
	if (fd >= 0 && write(fd, "1", 1) != 1)
		fprintf(stderr, "# vm.stat_refresh: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
	*counters = (struct counters){ .pinned = 0 };
	f = fopen("/proc/vmstat", "re");
	while (f && fscanf(f, "%63s %ld", name, &value) == 2) {
		if (!strcmp(name, "nr_foll_pin_acquired"))
			counters->pinned += value;
		else if (!strcmp(name, "nr_foll_pin_released"))
			counters->pinned -= value;
		else if (!strcmp(name, "nr_file_pmdmapped"))
			counters->pmd_mapped = value;
	}
	if (f)
		fclose(f);
}

static unsigned long long free_blocks(const struct filesystem *fs)
{
	struct statvfs st;
	int fd = open(testbed_mount(fs), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : syncfs(fd) ?: fstatvfs(fd, &st);

	if (fd >= 0)
		close(fd);
	return rc ? 0 : st.f_bfree;
}

void aftermath_begin(void)
{
	read_counters(&counted);
	for (const struct filesystem *fs = NULL; (fs = filesystem_next(fs));)
		if (testbed_mount(fs))
			free_at_first[filesystem_index(fs)] = free_blocks(fs);
}

/* Both are global: what else runs on this machine may move them, too, for a while. */
static int check_counters(void)
{
	long deadline = deadline_in(DEADLINE_MS);
	struct counters now;

	for (;; deadline_pause()) {
		read_counters(&now);
		if (now.pinned == counted.pinned && now.pmd_mapped == counted.pmd_mapped)
			return 0;
		if (deadline_over(deadline))
			break;
	}
	if (now.pinned != counted.pinned)
		return why_set(EIO, "%ld pages are pinned, %ld were (nr_foll_pin_* of vmstat)",
			       now.pinned, counted.pinned);
	return why_set(EIO, "%ld pages are mapped by PMDs, %ld were (nr_file_pmdmapped of vmstat)",
		       now.pmd_mapped, counted.pmd_mapped);
}

int aftermath_check(const struct filesystem *fs)
{
	unsigned long long before = free_at_first[filesystem_index(fs)];
	unsigned long long now;
	char first[512];
	int rc, remount;

	rc = testbed_require_own(fs) ?: testbed_unmount(fs);
	if (rc)
		return rc;
	rc = filesystem_check(fs, testbed_device(fs));
	/* If it is damaged, and refused for that: what was found first is what counts. */
	if (rc == -EIO)
		snprintf(first, sizeof(first), "%s", why());
	remount = testbed_mount_again(fs);
	if (rc == -EIO)
		return why_set(EIO, "%s", first);
	rc = rc ?: remount ?: check_counters();
	if (rc)
		return rc;
	/* More may be: trees shrink. Blocks that are free and in use fsck would have found. */
	now = free_blocks(fs);
	if (now < before)
		return why_set(EIO, "%llu blocks are free, %llu were", now, before);
	return 0;
}
