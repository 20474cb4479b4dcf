// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/run.h"
#include "deadline.h"
#include "filesystem/make.h"
#include "finding.h"
#include "memory/pmem.h"
#include "memory/pmem_guest.h"
#include "memory/signature.h"
#include "testbed/claim.h"
#include "testbed/consent.h"
#include "testbed/ledger.h"
#include "testbed/make.h"
#include "testbed/reclaim.h"

/* An unmount waits for every pinned page; a pin that outlived its test must not hang us. */
#define UMOUNT_MS	10000

struct bed {
	const struct filesystem *fs;
	char device[32];		/* TESTBED_NO_DEVICE: mounted by somebody else */
	char mount[192];
	bool mounted;			/* by us */
};

static struct consent consent;
static struct ledger ledger;
static struct bed beds[FILESYSTEMS_MAX];
static unsigned int nr_beds;
static char root_dir[160];
static pid_t owner;

static bool wanted(const struct filesystem *fs)
{
	const char *list = getenv("DAX_BREAK_FS");
	size_t len = strlen(fs->name);

	if (fs->source_env && !getenv(fs->source_env))
		return false;
	if (!list)
		return true;
	for (const char *hit = list; (hit = strstr(hit, fs->name)); hit += len)
		if ((hit == list || hit[-1] == ' ') && (!hit[len] || hit[len] == ' '))
			return true;
	return false;
}

static int make_dir(const char *dir)
{
	if (mkdir(dir, 0755))
		return why_set(errno, "cannot create %s: %s", dir, strerror(errno));
	return 0;
}

/* A version 4 UUID, as text. */
static int make_uuid(char *uuid, size_t size)
{
	proc_text(uuid, size, "/proc/sys/kernel/random/uuid");
	if (!uuid[0])
		return why_set(EIO, "no UUID in /proc/sys/kernel/random/uuid");
	uuid[strcspn(uuid, "\n")] = '\0';
	return 0;
}

/* Benchmarks need more than the tests do. */
static __u64 size_of(const struct filesystem *fs)
{
	const char *mib = getenv("DAX_BREAK_MIB");

	return mib ? strtoull(mib, NULL, 0) << 20 : fs->namespace_size;
}

static int format_and_mount(const struct bed *bed)
{
	return filesystem_format(bed->fs, bed->device) ?:
	       filesystem_mount(bed->fs, bed->device, bed->mount);
}

/* On capacity that nobody uses; the lock keeps others from the same. */
static int carve_bed(struct bed *bed)
{
	char uuid[40];
	int rc;

	rc = pmem_room(size_of(bed->fs)) ?:
	     make_uuid(uuid, sizeof(uuid)) ?:
	     ledger_note(&ledger, "namespace", uuid) ?:
	     ledger_lock();
	if (rc)
		return rc;
	rc = pmem_carve(size_of(bed->fs), uuid, bed->device, sizeof(bed->device));
	ledger_unlock();
	return rc ?: format_and_mount(bed);
}

/* In a guest of ours: where memory has no labels, all of it is for us. */
static int make_guest_bed(struct bed *bed)
{
	if (pmem_whole(bed->device, sizeof(bed->device)))
		return carve_bed(bed);
	return format_and_mount(bed);
}

/* What the environment names. */
static int named_bed(struct bed *bed)
{
	snprintf(bed->device, sizeof(bed->device), "%s", getenv(bed->fs->source_env));
	return format_and_mount(bed);
}

/* On the @i-th namespace that was named. */
static int claim_bed(struct bed *bed, unsigned int i)
{
	const char *uuid = consent.named[i].uuid;
	char fs_uuid[40];
	int rc;

	rc = pmem_named(consent.named[i].name, uuid, bed->device, sizeof(bed->device)) ?:
	     claim_and_format(bed->fs, bed->device, uuid, &ledger, fs_uuid, sizeof(fs_uuid)) ?:
	     filesystem_mount(bed->fs, bed->device, bed->mount);
	if (rc || !signature_expect(bed->device, fs_uuid))
		return rc;
	/* Somebody was faster between the end of our claim and the mount. */
	umount(bed->mount);
	return why_set(EBUSY, "%s was taken by somebody else just now", bed->device);
}

/* In a directory that was named: nothing is mounted, the files go there. */
static int borrow_bed(struct bed *bed)
{
	snprintf(bed->device, sizeof(bed->device), TESTBED_NO_DEVICE);
	return make_dir(bed->mount);
}

/* Files that are not DAX, where not all are: -o dax=always leaves no choice. */
static int make_plain(const char *dir)
{
	struct statx stx;
	int rc = make_dir(dir);

	if (rc || statx(AT_FDCWD, dir, 0, STATX_BASIC_STATS, &stx))
		return rc;
	/* Of a directory, too, this is what files in it will be. */
	if (stx.stx_attributes & STATX_ATTR_DAX)
		rmdir(dir);
	return 0;
}

static int fill_bed(const struct bed *bed)
{
	const char *granularity = "the server's";
	char dax[224], plain[224];
	int rc;

	snprintf(dax, sizeof(dax), "%s/" TESTBED_DAX, bed->mount);
	snprintf(plain, sizeof(plain), "%s/" TESTBED_PLAIN, bed->mount);
	rc = make_dir(dax) ?:
	     make_plain(plain) ?:
	     filesystem_want_dax(dax) ?:
	     filesystem_prove_dax(bed->fs, dax, &granularity);
	if (rc)
		return rc;
	printf("# %s in %s (%s): files are DAX, store granularity: %s\n", bed->fs->name,
	       bed->mount, bed->device, granularity);
	return 0;
}

static int take_memory(struct bed *bed, unsigned int i)
{
	switch (consent.level) {
	case CONSENT_NAMED:
		return claim_bed(bed, i);
	case CONSENT_GUEST:
		return make_guest_bed(bed);
	default:
		return carve_bed(bed);
	}
}

static int make_bed(const struct filesystem *fs)
{
	unsigned int i = nr_beds++;
	struct bed *bed = &beds[i];
	int rc;

	bed->fs = fs;
	snprintf(bed->mount, sizeof(bed->mount), "%s/%s", root_dir, fs->name);
	if (consent.level == CONSENT_DIRECTORY) {
		rc = borrow_bed(bed);
	} else {
		rc = make_dir(bed->mount) ?:
		     (fs->source_env ? named_bed(bed) : take_memory(bed, i));
		bed->mounted = !rc;
	}
	return rc ?: fill_bed(bed);
}

/*
 * umount(2) in a child, because it may never return. Busy it may be for a moment: of a
 * process that was just killed nothing is to be seen any more while it closes its files.
 * What stays busy for @ms is only detached, so that nobody looks for its files in vain:
 * removing one that an operation has locked for good would never return, either.
 */
static int bounded_umount(const char *dir, long ms)
{
	long deadline = deadline_in(ms);
	pid_t pid = fork();
	int status;

	if (!pid) {
		while (umount(dir)) {
			int err = errno;

			if (err == EBUSY && !deadline_over(deadline)) {
				deadline_pause();
				continue;
			}
			umount2(dir, MNT_DETACH);
			_exit(err);
		}
		_exit(0);
	}
	if (pid < 0)
		return -errno;
	if (!deadline_wait_child(pid, UMOUNT_MS, &status)) {
		kill(pid, SIGKILL);
		return -ETIMEDOUT;
	}
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

static void unmake_bed(struct bed *bed, long patience_ms)
{
	int rc = bed->mounted ? bounded_umount(bed->mount, patience_ms) : 0;

	/* A test may have unmounted it, and been stopped before it mounted it again. */
	if (rc && rc != -EINVAL)
		printf("# left behind: %s on %s cannot be unmounted: %s\n", bed->mount,
		       bed->device, strerror(-rc));
}

/* At exit, but not at that of a forked child. */
static void teardown(void)
{
	long patience_ms;

	if (getpid() != owner)
		return;
	/* First whatever is left of the tests: their pins keep us from unmounting. */
	patience_ms = reclaim_processes(&ledger) ? 0 : DEADLINE_MS;
	while (nr_beds)
		unmake_bed(&beds[--nr_beds], patience_ms);
	reclaim(&ledger);
}

/* For testbed_setup(): what there is, and where. */
static int export(void)
{
	char value[FILESYSTEMS_MAX * 256];
	size_t len = 0;

	for (unsigned int i = 0; i < nr_beds; i++)
		len += snprintf(value + len, sizeof(value) - len, TESTBED_FORMAT " ",
				beds[i].fs->name, beds[i].device, beds[i].mount);
	if (setenv(TESTBED_ENV, value, 1))
		return why_set(ENOMEM, "no memory for the environment");
	return 0;
}

/* The kind of filesystem that directory @dir is on, or NULL and why it is none. */
static const struct filesystem *kind_of(const char *dir)
{
	const struct filesystem *fs = NULL;
	struct statfs st;

	if (statfs(dir, &st)) {
		why_set(errno, CONSENT_ENV ": %s: %s", dir, strerror(errno));
		return NULL;
	}
	while ((fs = filesystem_next(fs)))
		if (fs->magic && st.f_type == fs->magic)
			return fs;
	why_set(EINVAL, CONSENT_ENV ": %s is not on a filesystem that is tested here", dir);
	return NULL;
}

static int make_beds(void)
{
	const struct filesystem *fs = NULL;
	int rc = 0;

	if (consent.level == CONSENT_DIRECTORY) {
		fs = kind_of(consent.directory);
		if (!fs)
			return -EINVAL;
		return wanted(fs) ? make_bed(fs) : 0;
	}
	while (!rc && (fs = filesystem_next(fs))) {
		/* More filesystems than namespaces: tests of the rest are skipped. */
		if (consent.level == CONSENT_NAMED && nr_beds == consent.nr_named)
			break;
		if (wanted(fs))
			rc = make_bed(fs);
	}
	return rc;
}

/* Where everything is, by a name that nobody else makes. */
static int make_root(void)
{
	const char *parent = consent.level == CONSENT_DIRECTORY ? consent.directory : "/tmp";

	snprintf(root_dir, sizeof(root_dir), "%s/dax_break.%s", parent, ledger.token);
	if (setenv(RUN_ENV, ledger.token, 1))
		return why_set(ENOMEM, "no memory for the environment");
	return ledger_note(&ledger, "directory", root_dir) ?:
	       make_dir(root_dir);
}

int testbed_make(void)
{
	int alive;
	int rc = consent_read(&consent);

	if (rc)
		return rc;
	if (consent.level != CONSENT_DIRECTORY) {
		if (geteuid())
			return why_set(EOPNOTSUPP,
				       "namespaces and mounts need root; " CONSENT_ENV
				       "=DIRECTORY on a mounted DAX filesystem does not");
		/* Mounts of our own: nobody else sees them, and none outlives us. */
		if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
			return why_set(errno, "cannot make a mount namespace: %s",
				       strerror(errno));
	}
	rc = reclaim_dead(&alive);
	rc = rc < 0 ? rc : ledger_begin(&ledger);
	if (rc)
		return rc;
	owner = getpid();
	atexit(teardown);
	rc = make_root();
	if (!rc && consent.level == CONSENT_GUEST)
		rc = pmem_init_labels();
	return rc ?: make_beds() ?: export();
}
