// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deadline.h"
#include "filesystem/make.h"
#include "finding.h"
#include "testbed.h"
#include "testbed/make.h"

#define MAKER		"with_pmem"

struct bed {
	const struct filesystem *fs;
	char device[32], mount[192];
	char dax[224], plain[224];
};

static struct bed beds[FILESYSTEMS_MAX];
static unsigned int nr_beds;

/* with_pmem is where the program is, or else in $PATH. */
static int start_anew(char **argv)
{
	char path[4096], *slash;
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - sizeof(MAKER));
	char **words;
	int argc = 0;

	path[len > 0 ? len : 0] = '\0';
	while (argv[argc])
		argc++;
	words = calloc(argc + 3, sizeof(*words));
	if (!words)
		return why_set(ENOMEM, "no memory for the arguments");
	words[0] = MAKER;
	words[1] = "-t";
	words[2] = strdup(path);
	memcpy(words + 3, argv + 1, (argc - 1) * sizeof(*words));
	slash = strrchr(path, '/');
	if (slash) {
		memcpy(slash + 1, MAKER, sizeof(MAKER));
		execv(path, words);
	}
	execvp(MAKER, words);
	return why_set(errno, "cannot run " MAKER " (%s): it belongs beside the tests",
		       strerror(errno));
}

int testbed_setup(char **argv)
{
	const char *told = getenv(TESTBED_ENV);
	int len;

	if (!told)
		return start_anew(argv);
	for (; nr_beds < FILESYSTEMS_MAX; nr_beds++, told += len) {
		struct bed *bed = &beds[nr_beds];
		char name[16], mount[192];

		if (sscanf(told, "%15[^:]:%31[^:]:%191s %n", name, bed->device, mount, &len) != 3)
			break;
		bed->fs = filesystem_find(name);
		memcpy(bed->mount, mount, sizeof(mount));
		snprintf(bed->dax, sizeof(bed->dax), "%s/" TESTBED_DAX, mount);
		snprintf(bed->plain, sizeof(bed->plain), "%s/" TESTBED_PLAIN, mount);
	}
	return 0;
}

static const struct bed *find(const struct filesystem *fs)
{
	for (unsigned int i = 0; i < nr_beds; i++)
		if (beds[i].fs == fs)
			return &beds[i];
	return NULL;
}

const char *testbed_dir(const struct filesystem *fs)
{
	const struct bed *bed = find(fs);

	return bed ? bed->dax : NULL;
}

const char *testbed_plain_dir(const struct filesystem *fs)
{
	const struct bed *bed = find(fs);

	return bed && !access(bed->plain, F_OK) ? bed->plain : NULL;
}

const char *testbed_mount(const struct filesystem *fs)
{
	const struct bed *bed = find(fs);

	return bed && strcmp(bed->device, TESTBED_NO_DEVICE) ? bed->mount : NULL;
}

int testbed_require(const struct filesystem *fs)
{
	if (find(fs))
		return 0;
	return why_set(EOPNOTSUPP,
		       "no %s here: it is not in DAX_BREAK_FS, or not what DAX_BREAK_PMEM names",
		       fs->name);
}

int testbed_require_own(const struct filesystem *fs)
{
	int rc = testbed_require(fs);

	if (rc || testbed_mount(fs))
		return rc;
	return why_set(EOPNOTSUPP,
		       "somebody else has mounted this %s: it is neither unmounted nor filled up",
		       fs->name);
}

const char *testbed_device(const struct filesystem *fs)
{
	const struct bed *bed = find(fs);

	return bed ? bed->device : NULL;
}

int testbed_mount_again(const struct filesystem *fs)
{
	const struct bed *bed = find(fs);

	/* A test that is skipped, because there is no such filesystem, ends like any other. */
	if (!bed || !access(bed->dax, F_OK))
		return 0;
	return filesystem_mount(fs, bed->device, bed->mount);
}

int testbed_unmount(const struct filesystem *fs)
{
	const struct bed *bed = find(fs);
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(umount(bed->mount) ? errno : 0);
	if (pid < 0)
		return why_set(errno, "cannot fork: %s", strerror(errno));
	if (!deadline_wait_child(pid, DEADLINE_MS, &status)) {
		kill(pid, SIGKILL);
		return why_set(EIO, "unmounting does not end: is a page still busy?");
	}
	if (status)
		return why_set(EIO, "cannot be unmounted: %s", strerror(WEXITSTATUS(status)));
	return 0;
}
