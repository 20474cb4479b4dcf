// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/proc.h"
#include "filesystem.h"
#include "finding.h"
#include "memory/pmem.h"
#include "testbed.h"
#include "testbed/consent.h"

/* The runner puts this on the command line of the guests that it makes. */
#define GUEST_TOKEN	"dax_break.guest=1"

#define NOTHING_NAMED	"no persistent memory is named: " CONSENT_ENV "="
#define HOW_TO_GET_SOME	"./run_tests.sh of dax_break makes some in QEMU, " \
			"memmap=1G!4G or the driver ramdax out of RAM"

static bool in_guest(void)
{
	char line[4096];

	proc_text(line, sizeof(line), "/proc/cmdline");
	return strstr(line, GUEST_TOKEN);
}

/* Can files on @device, as mounts name it, be DAX? */
static bool has_dax(const char *device)
{
	char real[PATH_MAX] = "", dax[8] = "";

	if (device[0] != '/' || !realpath(device, real))
		return false;
	/* A partition has its queue one directory up. */
	for (int i = 0; i < 2 && dax[0] != '1'; i++)
		proc_text(dax, sizeof(dax), "/sys/class/block/%.255s/%squeue/dax",
			  strrchr(real, '/') + 1, i ? "../" : "");
	return dax[0] == '1';
}

/* The mount point of a DAX filesystem of a kind that we know. */
static bool find_dax_mount(char *dir, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;
	bool found = false;

	while (mounts && !found && (entry = getmntent(mounts))) {
		/* No option is the same as dax=inode, and not always shown. */
		found = filesystem_find(entry->mnt_type) && !hasmntopt(entry, "dax=never") &&
			has_dax(entry->mnt_fsname);
		if (found)
			snprintf(dir, size, "%s", entry->mnt_dir);
	}
	if (mounts)
		endmntent(mounts);
	return found;
}

/* Bytes that the smallest of the filesystems takes. */
static __u64 least(void)
{
	__u64 size = ~0ULL;

	for (const struct filesystem *fs = NULL; (fs = filesystem_next(fs));)
		if (filesystem_has(fs, FS_PMEM) && fs->namespace_size < size)
			size = fs->namespace_size;
	return size;
}

/* The command, as exactly as it can be given. */
static int ask(void)
{
	char dir[128];

	if (find_dax_mount(dir, sizeof(dir)))
		return why_set(EOPNOTSUPP,
			       NOTHING_NAMED "%s uses files of our own in it", dir);
	if (!pmem_room(least()))
		return why_set(EOPNOTSUPP,
			       NOTHING_NAMED "carve uses unallocated capacity of it");
	return why_set(EOPNOTSUPP,
		       "no persistent memory to use: " HOW_TO_GET_SOME);
}

static bool is_uuid(const char *text, size_t len)
{
	size_t digits = 0;

	for (size_t i = 0; i < len; i++)
		if (isxdigit((unsigned char)text[i]))
			digits++;
		else if (text[i] != '-')
			return false;
	return digits == 32 && len == 36;
}

/* NAMESPACE=UUID, with a comma before the next one. */
static int read_named(struct consent *consent, const char *text)
{
	consent->level = CONSENT_NAMED;
	while (*text) {
		size_t len = strcspn(text, ",");
		size_t name = strcspn(text, "=");
		size_t i = consent->nr_named++;

		if (i == CONSENT_NAMESPACES || name >= len ||
		    name >= sizeof(consent->named[i].name) ||
		    strncmp(text, "namespace", 9) || !is_uuid(text + name + 1, len - name - 1))
			return why_set(EINVAL, CONSENT_ENV
				       " is neither an absolute path, nor carve, nor namespaceX.Y=UUID as ndctl list shows it");
		snprintf(consent->named[i].name, sizeof(consent->named[i].name), "%.*s", (int)name,
			 text);
		snprintf(consent->named[i].uuid, sizeof(consent->named[i].uuid), "%.36s",
			 text + name + 1);
		text += len;
		text += *text == ',';
	}
	return 0;
}

int consent_read(struct consent *consent)
{
	const char *text = getenv(CONSENT_ENV);

	memset(consent, 0, sizeof(*consent));
	if (!text || !text[0]) {
		if (!in_guest())
			return ask();
		consent->level = CONSENT_GUEST;
		return 0;
	}
	if (!strcmp(text, "carve")) {
		consent->level = CONSENT_CARVE;
		return 0;
	}
	if (text[0] != '/')
		return read_named(consent, text);
	if (strlen(text) >= sizeof(consent->directory) || strpbrk(text, ": \t\n"))
		return why_set(EINVAL, CONSENT_ENV
			       " is a path that is too long (%zu) or has spaces or colons in it",
			       strlen(text));
	consent->level = CONSENT_DIRECTORY;
	snprintf(consent->directory, sizeof(consent->directory), "%s", text);
	return 0;
}
