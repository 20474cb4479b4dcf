// SPDX-License-Identifier: GPL-2.0
/*
 * The DMA of a race: O_DIRECT reads into mapped pages, from disks, and from a file of
 * the same memory that is not DAX, which can be written to as well; and from the gate,
 * which takes its time. Each pins the pages for as long as it takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <unistd.h>

#include "kselftest.h"
#include "race/internal.h"
#include "testbed.h"
#include "why.h"

/* Pages of one request, at most; those of the file that is written to have room for it. */
#define MAX_COUNT	4U
/* One request in so many is of more than one page. */
#define ONE_IN		4U
/* As long as the gate may hold a request: for a victim to have taken the block by then. */
#define GATE_HOLD_US	100000

const char *const race_kinds[RACE_KINDS] = {
	[RACE_DISK] = "disk",
	[RACE_PLAIN] = "file",
	[RACE_GATE] = "gate",
};

static void add_missing(struct race *race, enum race_kind kind)
{
	snprintf(race->result->missing[kind], sizeof(race->result->missing[kind]), "%s", why());
}

static struct race_source *add(struct race *race, enum race_kind kind, const char *name, int fd)
{
	struct race_source *source = &race->sources[race->nr_sources++];
	char *text = race->result->sources;
	size_t len = strlen(text);

	*source = (struct race_source){ .kind = kind, .name = name, .fd = fd };
	snprintf(text + len, sizeof(race->result->sources) - len, "%s%s", len ? " " : "", name);
	return source;
}

/* Pages as large as the system's, whose buffers are to be aligned to that. */
static void *page_buffer(size_t pages)
{
	size_t size = sysconf(_SC_PAGESIZE);

	return aligned_alloc(size, pages * size);
}

/* By its first page: whoever has filled it like this has filled all of it. */
static bool is_tagged(int fd)
{
	size_t size = sysconf(_SC_PAGESIZE);
	__u64 *words = page_buffer(1);
	bool tagged = words && pread(fd, words, size, 0) == (ssize_t)size;

	for (size_t i = 0; tagged && i < size / sizeof(*words); i++)
		tagged = words[i] == race_source_word(0);
	free(words);
	return tagged;
}

static int open_disk(struct race *race, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	struct race_source *source;
	__u64 bytes;

	if (fd < 0) {
		int rc = why_set(errno, "cannot open %s, of " RACE_DISK_ENV ": %s", path,
				 strerror(errno));

		/* Of a guest's, the kernel has no driver. */
		if (rc == -ENOENT)
			add_missing(race, RACE_DISK);
		return rc == -ENOENT ? 0 : rc;
	}
	if (ioctl(fd, BLKGETSIZE64, &bytes) || bytes < MAX_COUNT * (size_t)sysconf(_SC_PAGESIZE)) {
		close(fd);
		return why_set(EINVAL, "%s, of " RACE_DISK_ENV ", is no disk", path);
	}
	source = add(race, RACE_DISK, strdup(path), fd);
	bytes /= sysconf(_SC_PAGESIZE);
	source->pages = bytes < UINT_MAX ? bytes : UINT_MAX;
	source->tagged = is_tagged(fd);
	return 0;
}

static int open_disks(struct race *race)
{
	const char *told = getenv(RACE_DISK_ENV);
	char *names, *name, *rest;
	int rc = 0;

	if (!told || !told[0]) {
		why_set(EOPNOTSUPP, "name one to be read from by " RACE_DISK_ENV);
		add_missing(race, RACE_DISK);
		return 0;
	}
	names = strdup(told);
	for (name = strtok_r(names, " ", &rest); !rc && name; name = strtok_r(NULL, " ", &rest)) {
		/* Two more sources there are always. */
		if (race->nr_sources == RACE_SOURCES - 2)
			rc = why_set(EINVAL, RACE_DISK_ENV " names more than %d disks",
				     RACE_SOURCES - 2);
		else
			rc = open_disk(race, name);
	}
	free(names);
	return rc;
}

/* Filled with tags: a file is no device, so all of it is ours. */
static int fill_plain(int fd)
{
	unsigned int pages = RACE_FILES * RACE_PAGES;
	size_t size = sysconf(_SC_PAGESIZE), at_once = 64;
	__u64 *words = page_buffer(at_once);
	int rc = words ? 0 : why_set(ENOMEM, "no memory for a buffer");

	for (unsigned int page = 0; !rc && page < pages; page += at_once) {
		for (size_t i = 0; i < at_once * size / sizeof(*words); i++)
			words[i] = race_source_word(page + i * sizeof(*words) / size);
		if (pwrite(fd, words, at_once * size, page * size) != (ssize_t)(at_once * size))
			rc = why_set(errno, "cannot fill a file that is not DAX: %s",
				     strerror(errno));
	}
	/* Before room becomes scarce, also for what is to be written. */
	if (!rc && fallocate(fd, 0, 0, (pages + RACE_THREADS * MAX_COUNT) * size))
		rc = why_set(errno, "no room to write to: %s", strerror(errno));
	free(words);
	return rc;
}

static int open_plain(struct race *race)
{
	const char *dir = testbed_plain_dir(race->spec->fs);
	struct race_source *source;
	int fd, rc;

	if (!dir) {
		why_set(EOPNOTSUPP, "mounted with -o dax=always");
		add_missing(race, RACE_PLAIN);
		return 0;
	}
	fd = open(dir, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
	if (fd < 0)
		return why_set(errno, "cannot create a file in %s: %s", dir, strerror(errno));
	rc = fill_plain(fd);
	if (rc) {
		close(fd);
		return rc;
	}
	source = add(race, RACE_PLAIN, "file", fd);
	source->pages = RACE_FILES * RACE_PAGES;
	source->tagged = true;
	source->sink = (off_t)source->pages * sysconf(_SC_PAGESIZE);
	return 0;
}

static int open_gate(struct race *race)
{
	struct race_source *source;
	struct gate *gate;
	int fd, rc = gate_open(&gate, GATE_COPY);

	if (rc == -EOPNOTSUPP) {
		add_missing(race, RACE_GATE);
		return 0;
	}
	if (rc)
		return rc;
	fd = open(gate_path(gate), O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0) {
		rc = why_set(errno, "cannot open %s: %s", gate_path(gate), strerror(errno));
		gate_close(gate);
		return rc;
	}
	source = add(race, RACE_GATE, "gate", fd);
	source->gate = gate;
	source->tagged = true;
	return 0;
}

int race_sources_open(struct race *race)
{
	int rc = open_disks(race) ?: open_plain(race) ?: open_gate(race);

	if (rc)
		return rc;
	if (!race->nr_sources)
		return why_set(EOPNOTSUPP, "no source of DMA; a disk: %s",
			       race->result->missing[RACE_DISK]);
	race->all_tagged = true;
	for (unsigned int i = 0; i < race->nr_sources; i++)
		race->all_tagged &= race->sources[i].tagged;
	return 0;
}

void race_sources_close(struct race *race)
{
	for (unsigned int i = 0; i < race->nr_sources; i++) {
		close(race->sources[i].fd);
		gate_close(race->sources[i].gate);
	}
}

void race_dma_snapshot(const struct race *race, unsigned long *before)
{
	for (unsigned int t = 0; t < race->nr_threads; t++)
		before[t] = race->threads[t].source ? race->threads[t].begun : 0;
}

const struct race_thread *race_dma_left(const struct race *race, const unsigned long *before)
{
	for (unsigned int t = 0; t < race->nr_threads; t++)
		if (race->threads[t].source && race->threads[t].ended < before[t])
			return &race->threads[t];
	return NULL;
}

/* What one request of a thread is about. */
struct dma {
	struct race_thread *thread;
	const struct race_source *source;
	unsigned int file, page, count;
	char *addr;
	size_t len;
	atomic_bool returned;	/* of the gate's, which has a thread of its own */
	long result;
};

/* Where in the source is data for these pages? Of a small one, anywhere. */
static off_t source_offset(const struct dma *dma)
{
	const struct race_source *source = dma->source;
	unsigned int turns = source->pages / (RACE_FILES * RACE_PAGES);
	unsigned int index = race_source_index(dma->file, dma->page,
					       turns ? race_random(dma->thread, turns) : 0);

	if (!turns)
		index %= source->pages - dma->count + 1;
	return (off_t)index * (dma->len / dma->count);
}

static long read_in(struct dma *dma)
{
	ssize_t n = pread(dma->source->fd, dma->addr, dma->len, source_offset(dma));

	return n < 0 ? -errno : n;
}

/* What a device reads is the file's, too: it is looked at where it went. */
static long write_out(struct dma *dma)
{
	off_t sink = dma->source->sink + dma->thread->number * MAX_COUNT * (dma->len / dma->count);
	size_t size = dma->len / dma->count;
	ssize_t n = pwrite(dma->source->fd, dma->addr, dma->len, sink);
	char *buffer;

	if (n != (ssize_t)dma->len)
		return n < 0 ? -errno : n;
	buffer = page_buffer(dma->count);
	if (!buffer)
		return -ENOMEM;
	if (pread(dma->source->fd, buffer, dma->len, sink) == n)
		for (unsigned int i = 0; i < dma->count; i++)
			if (!race_content_ok(dma->thread->race, dma->file, dma->page + i,
					     buffer + i * size, "DMA"))
				break;
	free(buffer);
	return n;
}

static void *submit_to_gate(void *arg)
{
	struct dma *dma = arg;
	ssize_t n = pread(dma->source->fd, dma->addr, dma->len,
			  gate_slot_offset(dma->source->gate, dma->file));

	dma->result = n < 0 ? -errno : n;
	atomic_store(&dma->returned, true);
	return NULL;
}

/* It may not come to it: there may be no block for the page any more. */
static long read_from_gate(struct dma *dma)
{
	pthread_t thread;
	int rc = pthread_create(&thread, NULL, submit_to_gate, dma);

	if (rc)
		return -rc;
	race_pause(dma->thread, GATE_HOLD_US);
	while (!atomic_load(&dma->returned)) {
		rc = gate_release(dma->source->gate, dma->file);
		if (rc && rc != -ENOENT) {
			race_harm(dma->thread->race, "%s", why());
			break;
		}
		race_poll();
	}
	pthread_join(thread, NULL);
	return dma->result;
}

static void transfer(struct race_thread *thread)
{
	struct race *race = thread->race;
	struct dma dma = {
		.thread = thread,
		.source = thread->source,
		.file = race_random(thread, RACE_FILES),
	};
	struct race_file *file = &race->files[dma.file];
	bool out = dma.source->sink &&
		   (race->spec->class->read_only || race_random(thread, 2));
	size_t size = file->file.page_size;
	struct race_event *event;

	dma.count = race_random(thread, ONE_IN) ? 1 : 1 + race_random(thread, MAX_COUNT);
	dma.page = race_random(thread, file->file.pages - dma.count + 1);
	dma.addr = file->maps[race_random(thread, RACE_MAPS)] + dma.page * size;
	dma.len = dma.count * size;
	event = race_begin(thread, out ? "DMA out of" : "DMA into", dma.file, dma.page, dma.count);
	thread->begun++;
	atomic_fetch_add(&file->pins, 1);
	if (dma.source->gate)
		dma.result = read_from_gate(&dma);
	else
		dma.result = out ? write_out(&dma) : read_in(&dma);
	atomic_fetch_sub(&file->pins, 1);
	thread->ended++;
	race_end(event, dma.result);
	if (dma.result > 0) {
		__atomic_add_fetch(&race->result->dmas, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&race->result->dmas_from[dma.source->kind], 1,
				   __ATOMIC_RELAXED);
		__atomic_add_fetch(&race->result->bytes, dma.result, __ATOMIC_RELAXED);
	} else if (dma.result != -EFAULT) {
		/* No block could be had for the page, or it was unmapped: that is no error. */
		race_harm(race, "P5 broken: DMA with %s failed: %s", dma.source->name,
			  strerror(-dma.result));
	}
}

void *race_dma_run(void *arg)
{
	struct race_thread *thread = arg;
	struct race *race = thread->race;

	while (!race_over(race)) {
		race_pause(thread, race->spec->delay_us[RACE_BEFORE_PIN]);
		if (race->no_dma)
			race_poll();
		else
			transfer(thread);
		race_pause(thread, race->spec->delay_us[RACE_AFTER_RELEASE]);
	}
	return NULL;
}
