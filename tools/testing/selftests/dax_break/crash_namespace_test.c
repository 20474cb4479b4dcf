// SPDX-License-Identifier: GPL-2.0
/*
 * P8, end of life: the memory itself goes, with a page of a file on it pinned.
 *
 * A page is pinned, nobody maps it, and the namespace that the mounted filesystem is on is
 * disabled: its device is unbound from its driver, as by ndctl disable-namespace -f. That
 * may refuse, or wait; but if it completes, the struct pages are gone while a device
 * still has references to them, and dropping one is a write to freed memory.
 *
 * Seen must be: it refuses, or has not completed when the pin goes, and completes after.
 *
 * memunmap_pages(), mm/memremap.c, waits until nobody uses the device's pages any more, in
 * its own count of users; a reference to a page of a DAX file is none of these.
 *
 * The kernel may crash, and nothing can be mounted afterwards: only run with
 * DAX_BREAK_DESTRUCTIVE=1, in a guest that is thrown away.
 */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <mntent.h>
#include <unistd.h>

#include "consent.h"
#include "dax_break.h"

/* A device that is bound to a driver, in sysfs. */
struct bound {
	char unbind[PATH_MAX];
	char name[NAME_MAX];
};

static int find_device(const char *mount, char *device, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;
	bool found = false;

	while (mounts && !found && (entry = getmntent(mounts))) {
		found = !strcmp(entry->mnt_dir, mount);
		snprintf(device, size, "%s", basename(entry->mnt_fsname));
	}
	if (mounts)
		endmntent(mounts);
	return found ? 0 : why_set(ENOENT, "nothing is mounted on %s", mount);
}

static int find_bound(const char *mount, struct bound *bound)
{
	char disk[64], link[128], device[PATH_MAX];
	int rc = find_device(mount, disk, sizeof(disk));

	if (rc)
		return rc;
	snprintf(link, sizeof(link), "/sys/block/%s/device", disk);
	if (!realpath(link, device))
		return why_set(errno, "cannot find the device of %s: %s", disk, strerror(errno));
	snprintf(bound->name, sizeof(bound->name), "%s", basename(device));
	snprintf(bound->unbind, sizeof(bound->unbind), "/sys/bus/nd/devices/%s/driver/unbind",
		 bound->name);
	if (access(bound->unbind, W_OK))
		return why_set(errno, "cannot unbind %s: %s", bound->name, strerror(errno));
	return 0;
}

FIXTURE(crash_namespace) {
	struct bound bound;
	struct trial trial;
	struct waiter waiter;		/* who disables it */
};

FIXTURE_VARIANT(crash_namespace) {
	const char *fs;
};

static int unbind(void *arg)
{
	const struct bound *bound = arg;
	int fd = open(bound->unbind, O_WRONLY | O_CLOEXEC);
	ssize_t len = strlen(bound->name);

	return fd >= 0 && write(fd, bound->name, len) == len ? 0 : -errno;
}

FIXTURE_SETUP(crash_namespace)
{
	const struct trial_spec spec = {
		.fs = variant->fs,
		.op = "truncate",
		.holder = "vmsplice",
		.pages = 4,
	};

	REQUIRE(return, consent_to_crash());
	REQUIRE(return, find_bound(testbed_mount(variant->fs), &self->bound));
	REQUIRE(return, waiter_fork(&self->waiter, "disabling the namespace", unbind,
				    &self->bound));
	REQUIRE(return, trial_setup(&self->trial, &spec));
}

/* Nothing is left that the trial could remove its file from. */
FIXTURE_TEARDOWN(crash_namespace)
{
	holder_close(&self->trial.holder);
	waiter_end(&self->waiter);
	expect_quiet(_metadata);
}

TEST_F(crash_namespace, disabled)
{
	struct trial *trial = &self->trial;
	struct waiter *waiter = &self->waiter;
	int seen;

	REQUIRE(return, trial_hold(trial, 1));
	dax_file_unmap(&trial->file);
	waiter_start(waiter);
	seen = waiter_observe_any(waiter);
	if (seen == WAITER_DONE && waiter_result(waiter)) {
		RECORD(variant->fs, "refuses to disable a namespace", waiter_describe(waiter));
		return;
	}
	ASSERT_EQ(WAITER_BLOCKED, seen) {
		TH_LOG("P8 broken: %s, with page 1 pinned", waiter_describe(waiter));
	}
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(waiter)) {
		TH_LOG("P8 broken: %s, with nothing pinned", waiter_describe(waiter));
	}
	ASSERT_EQ(0, waiter_result(waiter)) {
		TH_LOG("P8 broken: %s, with nothing pinned", waiter_describe(waiter));
	}
}

int main(int argc, char **argv)
{
	for (const struct filesystem *fs = filesystems; fs->name; fs++) {
		const FIXTURE_VARIANT(crash_namespace) data = { fs->name };

		if (filesystem_on_pmem(fs))
			VARIANT_ADD(crash_namespace, data, "%s", fs->name);
	}
	return dax_break_main(argc, argv);
}
