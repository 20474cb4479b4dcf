// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <unistd.h>

#include "finding.h"
#include "race/parts.h"
#include "testbed.h"

const char *const race_kinds[RACE_KINDS] = {
	[RACE_DISK] = "disk",
	[RACE_PLAIN] = "file",
	[RACE_GATE] = "gate",
};

static struct race_source *add(struct race *race, enum race_kind kind, const char *name, int fd)
{
	struct race_source *source = &race->sources[race->nr_sources++];
	char *text = race->result->sources;
	size_t len = strlen(text);

	*source = (struct race_source){ .kind = kind, .name = name, .fd = fd };
	snprintf(text + len, sizeof(race->result->sources) - len, "%s%s", len ? " " : "", name);
	return source;
}

void *race_page_buffer(size_t pages)
{
	size_t size = sysconf(_SC_PAGESIZE);

	return aligned_alloc(size, pages * size);
}

/* Looks at the first page only: whoever filled it like this filled all of them. */
static bool is_tagged(int fd)
{
	size_t size = sysconf(_SC_PAGESIZE);
	__u64 *words = race_page_buffer(1);
	bool tagged = words && pread(fd, words, size, 0) == (ssize_t)size;

	for (size_t i = 0; tagged && i < size / sizeof(*words); i++)
		tagged = words[i] == race_source_word(0);
	free(words);
	return tagged;
}

static int open_disk(struct race *race, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	size_t size = sysconf(_SC_PAGESIZE);
	struct race_source *source;
	__u64 bytes;

	/* A guest's kernel may have no driver for the disk. */
	if (fd < 0)
		return why_set(errno == ENOENT ? EOPNOTSUPP : errno,
			       "cannot open %s, named by " RACE_DISK_ENV ": %s", path,
			       strerror(errno));
	source = add(race, RACE_DISK, strdup(path), fd);
	if (ioctl(fd, BLKGETSIZE64, &bytes) || bytes < RACE_DMA_PAGES * size)
		return why_set(EINVAL, "%s, named by " RACE_DISK_ENV ", is not a disk", path);
	bytes /= size;
	source->pages = bytes < UINT_MAX ? bytes : UINT_MAX;
	race->all_tagged &= is_tagged(fd);
	return 0;
}

static int open_disks(struct race *race)
{
	const char *told = getenv(RACE_DISK_ENV);
	char *names, *rest;
	int rc = 0;

	if (!told || !told[0])
		return why_set(EOPNOTSUPP, "name one to read from in " RACE_DISK_ENV);
	names = strdup(told);
	/* That one disk is missing is no reason to leave out the others. */
	for (char *name = strtok_r(names, " ", &rest);
	     name && (!rc || rc == -EOPNOTSUPP); name = strtok_r(NULL, " ", &rest)) {
		/* Leave room for the file and the gate. */
		if (race->nr_sources == RACE_SOURCES - 2)
			rc = why_set(EINVAL, RACE_DISK_ENV " names more than %d disks",
				     RACE_SOURCES - 2);
		else
			rc = open_disk(race, name) ?: rc;
	}
	free(names);
	return rc;
}

/* Fills the file with tags: unlike a disk, all of it is ours. */
static int fill_plain(int fd)
{
	unsigned int pages = RACE_FILES * RACE_PAGES;
	size_t size = sysconf(_SC_PAGESIZE), at_once = 64;
	__u64 *words = race_page_buffer(at_once);
	int rc = words ? 0 : why_set(ENOMEM, "no memory for a buffer");

	for (unsigned int page = 0; !rc && page < pages; page += at_once) {
		for (size_t i = 0; i < at_once * size / sizeof(*words); i++)
			words[i] = race_source_word(page + i * sizeof(*words) / size);
		if (pwrite(fd, words, at_once * size, page * size) != (ssize_t)(at_once * size))
			rc = why_set(errno, "cannot fill a file that is not DAX: %s",
				     strerror(errno));
	}
	/* Also allocate what will be written to, before room becomes scarce. */
	if (!rc && fallocate(fd, 0, 0, (pages + RACE_THREADS * RACE_DMA_PAGES) * size))
		rc = why_set(errno, "no room to write to: %s", strerror(errno));
	free(words);
	return rc;
}

static int open_plain(struct race *race)
{
	const char *dir = testbed_plain_dir(race->spec->fs);
	struct race_source *source;
	int fd;

	if (!dir)
		return why_set(EOPNOTSUPP, "mounted with -o dax=always");
	fd = open(dir, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
	if (fd < 0)
		return why_set(errno, "cannot create a file in %s: %s", dir, strerror(errno));
	source = add(race, RACE_PLAIN, "file", fd);
	source->pages = RACE_FILES * RACE_PAGES;
	source->sink = (off_t)source->pages * sysconf(_SC_PAGESIZE);
	return fill_plain(fd);
}

static int open_gate(struct race *race)
{
	struct race_source *source;
	struct gate *gate;
	int rc = gate_open(&gate, GATE_COPY);

	if (rc)
		return rc;
	source = add(race, RACE_GATE, "gate",
		     open(gate_path(gate), O_RDWR | O_DIRECT | O_CLOEXEC));
	source->gate = gate;
	if (source->fd < 0)
		return why_set(errno, "cannot open %s: %s", gate_path(gate), strerror(errno));
	return 0;
}

int race_sources_open(struct race *race)
{
	static int (*const open_kind[RACE_KINDS])(struct race *race) = {
		[RACE_DISK] = open_disks,
		[RACE_PLAIN] = open_plain,
		[RACE_GATE] = open_gate,
	};

	race->all_tagged = true;
	for (enum race_kind kind = 0; kind < RACE_KINDS; kind++) {
		int rc = open_kind[kind](race);

		if (rc == -EOPNOTSUPP)
			snprintf(race->result->missing[kind], sizeof(race->result->missing[kind]),
				 "%s", why());
		else if (rc)
			return rc;
	}
	if (!race->nr_sources)
		return why_set(EOPNOTSUPP, "no source of DMA; a disk: %s",
			       race->result->missing[RACE_DISK]);
	return 0;
}

void race_sources_close(struct race *race)
{
	for (unsigned int i = 0; i < race->nr_sources; i++) {
		close(race->sources[i].fd);
		gate_close(race->sources[i].gate);
	}
}
