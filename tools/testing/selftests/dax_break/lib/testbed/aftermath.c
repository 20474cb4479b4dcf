// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "aftermath.h"
#include "deadline.h"
#include "filesystem.h"
#include "testbed.h"
#include "why.h"

#define MAX_FILESYSTEMS	8

struct counters {
	long pinned;		/* pages, by FOLL_PIN */
	long pmd_mapped;	/* pages of files, by PMDs */
};

static struct counters counted;
static unsigned long long free_at_first[MAX_FILESYSTEMS];	/* blocks, as in filesystems[] */

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

static unsigned long long free_blocks(const char *fs)
{
	struct statvfs st;
	int fd = open(testbed_mount(fs), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : syncfs(fd) ?: fstatvfs(fd, &st);

	if (fd >= 0)
		close(fd);
	return rc ? 0 : st.f_bfree;
}

int aftermath_begin(void)
{
	read_counters(&counted);
	for (size_t i = 0; filesystems[i].name && i < MAX_FILESYSTEMS; i++)
		if (testbed_mount(filesystems[i].name))
			free_at_first[i] = free_blocks(filesystems[i].name);
	return 0;
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

int aftermath_check(const char *fs)
{
	size_t i = filesystem_find(fs) - filesystems;
	unsigned long long now;
	char first[512];
	int rc, remount;

	rc = testbed_ours(fs) ?: testbed_unmount(fs);
	if (rc)
		return rc;
	rc = filesystem_check(&filesystems[i], testbed_device(fs));
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
	if (now < free_at_first[i])
		return why_set(EIO, "%llu blocks are free, %llu were", now, free_at_first[i]);
	return 0;
}
