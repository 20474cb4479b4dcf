// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deadline.h"
#include "filesystem.h"
#include "pmem.h"
#include "testbed_make.h"
#include "why.h"

/* The runner puts this on the command line of the guests that it makes. */
#define GUEST_TOKEN	"dax_break.guest"
#define MAX_BEDS	8
/* An unmount waits for every pinned page; a pin that outlived its test must not hang us. */
#define UMOUNT_MS	10000

struct bed {
	const struct filesystem *fs;
	struct pmem *pmem;
	char mount[64];
	bool mounted;
};

static struct bed beds[MAX_BEDS];
static unsigned int nr_beds;
static char root_dir[32];
static pid_t owner;

static bool in_guest(void)
{
	FILE *f = fopen("/proc/cmdline", "re");
	char line[4096] = "";

	if (f && !fgets(line, sizeof(line), f))
		line[0] = '\0';
	if (f)
		fclose(f);
	return strstr(line, GUEST_TOKEN);
}

static bool wanted(const struct filesystem *fs)
{
	const char *list = getenv("DAX_BREAK_FS");
	size_t len = strlen(fs->name);

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

static int make_bed(struct bed *bed, const struct filesystem *fs)
{
	const char *granularity;
	char dax[80], plain[80];
	int rc;

	bed->fs = fs;
	snprintf(bed->mount, sizeof(bed->mount), "%s/%s", root_dir, fs->name);
	snprintf(dax, sizeof(dax), "%s/%s/" TESTBED_DAX, root_dir, fs->name);
	snprintf(plain, sizeof(plain), "%s/%s/" TESTBED_PLAIN, root_dir, fs->name);
	rc = make_dir(bed->mount) ?: pmem_carve(fs->namespace_size, &bed->pmem);
	if (rc)
		return rc;
	rc = filesystem_make(fs, pmem_device(bed->pmem), bed->mount);
	if (rc)
		return rc;
	bed->mounted = true;
	rc = make_dir(dax) ?:
	     make_dir(plain) ?:
	     filesystem_want_dax(dax) ?:
	     filesystem_prove_dax(dax, &granularity);
	if (rc)
		return rc;
	printf("# %s on %s, %llu MiB: files are DAX, store granularity: %s\n", fs->name,
	       pmem_device(bed->pmem), (unsigned long long)fs->namespace_size >> 20, granularity);
	return 0;
}

/* umount(2) in a child, because it may never return. */
static int bounded_umount(const char *dir)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(umount(dir) ? errno : 0);
	if (pid < 0)
		return -errno;
	if (!deadline_wait_child(pid, UMOUNT_MS, &status)) {
		kill(pid, SIGKILL);
		return -ETIMEDOUT;
	}
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

static void unmake_bed(struct bed *bed)
{
	int rc = bed->mounted ? bounded_umount(bed->mount) : 0;

	if (rc) {
		printf("# left behind: %s on %s cannot be unmounted: %s\n", bed->mount,
		       pmem_device(bed->pmem), strerror(-rc));
		return;
	}
	if (bed->pmem && pmem_destroy(bed->pmem))
		printf("# left behind: %s\n", why());
	rmdir(bed->mount);
}

/* At exit, but not at that of a forked child. */
static void teardown(void)
{
	if (getpid() != owner)
		return;
	while (nr_beds)
		unmake_bed(&beds[--nr_beds]);
	rmdir(root_dir);
}

/* For testbed_setup(): what there is, and where. */
static int export(void)
{
	char value[MAX_BEDS * 128];
	size_t len = 0;

	for (unsigned int i = 0; i < nr_beds; i++)
		len += snprintf(value + len, sizeof(value) - len, TESTBED_FORMAT " ",
				beds[i].fs->name, pmem_device(beds[i].pmem), beds[i].mount);
	if (setenv(TESTBED_ENV, value, 1))
		return why_set(ENOMEM, "no memory for the environment");
	return 0;
}

int testbed_make(void)
{
	int rc = 0;

	if (!in_guest())
		return why_set(EOPNOTSUPP,
			       "no persistent memory to use: run it in a guest (run_tests.sh of dax_break)");
	if (geteuid())
		return why_set(EOPNOTSUPP, "namespaces and mounts need root");
	/* Mounts of our own: nobody else sees them, and none outlives us. */
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return why_set(errno, "cannot make a mount namespace: %s", strerror(errno));
	snprintf(root_dir, sizeof(root_dir), "/tmp/dax_break.XXXXXX");
	if (!mkdtemp(root_dir))
		return why_set(errno, "cannot create a directory in /tmp: %s", strerror(errno));

	owner = getpid();
	atexit(teardown);
	rc = pmem_init_labels();
	for (const struct filesystem *fs = filesystems; !rc && fs->name && nr_beds < MAX_BEDS; fs++)
		if (wanted(fs))
			rc = make_bed(&beds[nr_beds++], fs);
	return rc ?: export();
}
