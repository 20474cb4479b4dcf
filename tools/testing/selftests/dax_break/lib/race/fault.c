// SPDX-License-Identifier: GPL-2.0
/*
 * Those who use the mappings of a race meanwhile: loads and stores, which fault pages in;
 * mprotect(), munmap(), and mapping again; and fsync(), which locks entries.
 *
 * Where there is no block, or no mapping at the moment, a signal says so: the access has
 * failed, and that is all.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest.h"
#include "race/internal.h"

/* Pages that are unmapped, protected or written back at a time, at most. */
#define MAX_COUNT	16U
/* A store is of so many words: what follows from it is seen in any of them. */
#define STORE_WORDS	8U
/* Between two of them. */
#define PAUSE_US	200

static __thread sigjmp_buf *trap;

static void on_fault(int sig)
{
	if (trap)
		siglongjmp(*trap, 1);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void catch_faults(void)
{
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

/* What a thread does next, and where. */
struct access {
	struct race_thread *thread;
	struct race_file *file;
	unsigned int number;	/* of the file */
	unsigned int map, page, count;
	char *addr;
	size_t len;
};

static int load(struct access *a)
{
	sigjmp_buf here;

	trap = &here;
	if (sigsetjmp(here, 0)) {
		trap = NULL;
		return -EFAULT;
	}
	__atomic_load_n(a->addr, __ATOMIC_RELAXED);
	trap = NULL;
	return 0;
}

static int store(struct access *a)
{
	__u64 word = race_store_word(a->number, a->page, a->thread->number, a->thread->events);
	size_t words = a->file->file.page_size / sizeof(word);
	__u64 *to = (__u64 *)a->addr + race_random(a->thread, words - STORE_WORDS);
	sigjmp_buf here;

	if (a->thread->race->spec->class->read_only)
		return load(a);
	trap = &here;
	if (sigsetjmp(here, 0)) {
		trap = NULL;
		return -EFAULT;
	}
	for (unsigned int i = 0; i < STORE_WORDS; i++)
		__atomic_store_n(&to[i], word, __ATOMIC_RELAXED);
	trap = NULL;
	return 0;
}

/* All of it, so that operations have blocks to take, and scans something to look at. */
static int populate(struct access *a)
{
#ifdef MADV_POPULATE_WRITE
	bool reads = a->thread->race->spec->class->read_only;

	if (!madvise(a->file->maps[a->map], a->file->len,
		     reads ? MADV_POPULATE_READ : MADV_POPULATE_WRITE))
		return 0;
#endif
	return load(a);
}

/*
 * Not only for that moment: whoever accesses it meanwhile has his signal, or EFAULT. The
 * addresses stay taken, or another thread's mmap(2) would get them.
 */
static int remap(struct access *a)
{
	if (mmap(a->addr, a->len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	    MAP_FAILED)
		return -errno;
	sched_yield();
	return race_map(a->thread->race, a->number, a->map, a->page, a->count);
}

static int protect(struct access *a)
{
	int all = PROT_READ | (a->thread->race->spec->class->read_only ? 0 : PROT_WRITE);

	if (mprotect(a->addr, a->len, PROT_READ))
		return -errno;
	sched_yield();
	return mprotect(a->addr, a->len, all) ? -errno : 0;
}

static int dont_need(struct access *a)
{
	return madvise(a->addr, a->len, MADV_DONTNEED) ? -errno : 0;
}

static int sync_range(struct access *a)
{
	return msync(a->addr, a->len, MS_SYNC) ? -errno : 0;
}

/* Of pages that have just been pinned, and so are dirty: entries are locked in turn. */
static int write_back(struct access *a)
{
	int rc = store(a);

	if (!rc && sync_file_range(a->file->file.fd, a->page * a->file->file.page_size, a->len,
				   SYNC_FILE_RANGE_WRITE_AND_WAIT))
		rc = -errno;
	return rc;
}

static int sync_file(struct access *a)
{
	return fsync(a->file->file.fd) ? -errno : 0;
}

struct kind {
	const char *name;
	int (*run)(struct access *a);
	unsigned int weight;
	bool with_dma;		/* where DMA is under way */
};

static const struct kind faults[] = {
	{ "load", load, 8, false },
	{ "store", store, 8, false },
	{ "populate", populate, 1, false },
	{ "remap", remap, 1, false },
	{ "protect", protect, 1, false },
	{ "MADV_DONTNEED", dont_need, 1, false },
};

static const struct kind syncs[] = {
	{ "fsync", sync_file, 1, false },
	{ "msync", sync_range, 1, false },
	{ "sync_file_range", write_back, 8, true },
};

static const struct kind *choose(struct race_thread *thread, const struct kind *kinds, size_t count)
{
	unsigned int sum = 0, pick;

	for (size_t i = 0; i < count; i++)
		sum += kinds[i].weight;
	pick = race_random(thread, sum);
	while (pick >= kinds->weight)
		pick -= kinds++->weight;
	return kinds;
}

/* To the pages of one of the requests that operations will meet, if there are any. */
static void aim_at_dma(struct access *a)
{
	const struct race *race = a->thread->race;
	unsigned int from = race_random(a->thread, race->nr_threads);

	for (unsigned int t = 0; t < race->nr_threads; t++) {
		const struct race_thread *dma = &race->threads[(from + t) % race->nr_threads];
		/* A copy: the next one may begin at any time. */
		const struct race_event event = dma->log[(dma->events - 1) % RACE_EVENTS];

		if (!dma->source || dma->begun == dma->ended || !event.count ||
		    !race->files[event.file].wanted)
			continue;
		a->number = event.file;
		a->page = event.page;
		a->count = event.count;
		return;
	}
}

static void access_once(struct race_thread *thread, const struct kind *kind)
{
	struct race *race = thread->race;
	struct access a = { .thread = thread, .number = race_random(thread, RACE_FILES) };
	unsigned int pages = race->files[a.number].file.pages;
	struct race_event *event;

	a.map = race_random(thread, RACE_MAPS);
	a.count = 1 + race_random(thread, pages < MAX_COUNT ? pages : MAX_COUNT);
	a.page = race_random(thread, pages - a.count + 1);
	if (kind->with_dma)
		aim_at_dma(&a);
	a.file = &race->files[a.number];
	a.addr = a.file->maps[a.map] + a.page * a.file->file.page_size;
	a.len = a.count * a.file->file.page_size;
	event = race_begin(thread, kind->name, a.number, a.page, a.count);
	race_end(event, kind->run(&a));
}

/* Accesses of @kinds, one after the other, each counted by @count. */
static void *run(struct race_thread *thread, const struct kind *kinds, size_t nr_kinds,
		 unsigned long *count, bool (*in_a_hurry)(const struct race *race))
{
	struct race *race = thread->race;

	catch_faults();
	while (!race_over(race)) {
		if (race->no_faults) {
			race_poll();
			continue;
		}
		access_once(thread, choose(thread, kinds, nr_kinds));
		__atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
		if (!in_a_hurry || !in_a_hurry(race))
			race_pause(thread, PAUSE_US);
	}
	return NULL;
}

void *race_fault_run(void *arg)
{
	struct race_thread *thread = arg;

	return run(thread, faults, ARRAY_SIZE(faults), &thread->race->result->faults, NULL);
}

/* Now is when a locked entry counts. */
static bool meets_dma(const struct race *race)
{
	for (unsigned int number = 0; number < RACE_FILES; number++)
		if (race->files[number].wanted && race->files[number].pins)
			return true;
	return false;
}

void *race_sync_run(void *arg)
{
	struct race_thread *thread = arg;

	return run(thread, syncs, ARRAY_SIZE(syncs), &thread->race->result->syncs, meets_dma);
}
