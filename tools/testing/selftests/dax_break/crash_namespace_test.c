// SPDX-License-Identifier: GPL-2.0
/*
 * P8, end of life: the memory itself goes while a page of a file on it is pinned.
 *
 * A page is pinned and no longer mapped. Then the namespace under the mounted filesystem
 * is disabled: its device is unbound from its driver, as ndctl disable-namespace -f does.
 * The kernel may refuse that, or wait. If it does neither, the struct pages are gone while
 * a device still has references to them, and dropping one writes to freed memory.
 *
 * What must be seen: either the kernel refuses, or it does not complete before the pin
 * goes, and completes after that.
 *
 * memunmap_pages(), mm/memremap.c, waits until the device's pages have no more users. It
 * goes by a count of its own, which does not include references to pages of DAX files.
 *
 * The kernel may crash, and nothing can be mounted afterwards: the tests take
 * DAX_BREAK_DESTRUCTIVE=1 (see README.rst).
 */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <unistd.h>

#include "dax_break.h"

/* A device that is bound to a driver, in sysfs. */
struct bound {
	char unbind[PATH_MAX];
	char name[NAME_MAX];
};

/* Finds the device whose block device is called @disk. */
static int find_bound(const char *disk, struct bound *bound)
{
	char link[128], device[PATH_MAX];

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
	struct waiter waiter;		/* disables the namespace */
};

FIXTURE_VARIANT_ON(crash_namespace);

static int unbind(void *arg)
{
	const struct bound *bound = arg;
	int fd = open(bound->unbind, O_WRONLY | O_CLOEXEC);
	ssize_t len = strlen(bound->name);

	return fd >= 0 && write(fd, bound->name, len) == len ? 0 : -errno;
}

FIXTURE_SETUP(crash_namespace)
{
	const struct filesystem *fs = variant->on.fs;
	const struct trial_spec spec = { .on = { fs, op_find("truncate") } };

	REQUIRE(return, consent_to_crash());
	REQUIRE(return, testbed_require_own(fs));
	REQUIRE(return, find_bound(strrchr(testbed_device(fs), '/') + 1, &self->bound));
	REQUIRE(return, waiter_fork(&self->waiter, "disabling the namespace", unbind,
				    &self->bound));
	REQUIRE(return, trial_setup(&self->trial, &spec));
}

/* The trial cannot remove its file: the filesystem is gone. */
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
		RECORD(variant->on.fs, "refuses to disable a namespace", waiter_describe(waiter));
		return;
	}
	ASSERT_EQ(WAITER_BLOCKED, seen) {
		BROKEN(P8_END_OF_LIFE, "%s, with page 1 pinned", waiter_describe(waiter));
	}
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_RETURNS(P8_END_OF_LIFE, 0, waiter, "with nothing pinned");
}

static void add_variants(void)
{
	VARIANTS_OF_FILESYSTEMS(crash_namespace, FS_PMEM);
}

DAX_BREAK_MAIN_UNCHECKED("each test has its own guest, where nothing can be mounted afterwards",
			 .variants = add_variants, .needs = NEED_ALONE)
