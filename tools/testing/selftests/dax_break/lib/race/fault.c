// SPDX-License-Identifier: GPL-2.0
/*
 * Accesses to the mappings: loads and stores, which fault pages in; changes of the mappings;
 * and fsync(2) and its relatives, which lock entries while they write pages back. A page may
 * have no block, or no mapping at the moment. The signal then only makes the access fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "race/parts.h"

/* Pages that are unmapped, protected or written back at a time: no file has fewer. */
#define MAX_COUNT	16U
/* Words of a store: more than one, since race_content_ok() ignores a single one. */
#define STORE_WORDS	8U
/* Between two accesses, at most. */
#define PAUSE_US	200

static __thread sigjmp_buf *trap;

static void on_fault(int sig)
{
	sigjmp_buf *to = trap;

	trap = NULL;
	if (to)
		siglongjmp(*to, 1);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void catch_faults(void)
{
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

/* Where a thread accesses a file next. */
struct access {
	struct race_thread *thread;
	struct race_file *file;
	unsigned int number;	/* of the file */
	unsigned int map, page, count;
	char *addr;
	size_t len;
};

/* Stores @word so many times, or loads one if @count is 0. */
static int touch(__u64 *at, __u64 word, unsigned int count)
{
	sigjmp_buf here;

	trap = &here;
	if (sigsetjmp(here, 0))
		return -EFAULT;
	if (!count)
		__atomic_load_n(at, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < count; i++)
		__atomic_store_n(&at[i], word, __ATOMIC_RELAXED);
	trap = NULL;
	return 0;
}

static int load(struct access *a)
{
	return touch((__u64 *)a->addr, 0, 0);
}

static int store(struct access *a)
{
	__u64 word = race_store_word(a->number, a->page, a->thread->number, a->thread->begun);
	size_t words = a->file->file.page_size / sizeof(word);
	__u64 *to = (__u64 *)a->addr + race_random(a->thread, words - STORE_WORDS);

	return a->thread->race->spec->mix->read_only ? load(a) : touch(to, word, STORE_WORDS);
}

/* Populates a whole mapping: operations need blocks to take, and scans need entries. */
static int populate(struct access *a)
{
	int how = a->thread->race->spec->mix->read_only ? MADV_POPULATE_READ : MADV_POPULATE_WRITE;

	return madvise(a->file->maps[a->map], a->file->file.size, how) ? load(a) : 0;
}

/* Other threads that access the pages meanwhile get a signal, or EFAULT. */
static int remap(struct access *a)
{
	int rc = race_unmap(a->addr, a->len);

	sched_yield();
	return rc ?: race_map(a->thread->race, a->number, a->map, a->page, a->count);
}

static int protect(struct access *a)
{
	if (mprotect(a->addr, a->len, PROT_READ))
		return -errno;
	sched_yield();
	return mprotect(a->addr, a->len, a->thread->race->prot) ? -errno : 0;
}

static int dont_need(struct access *a)
{
	return madvise(a->addr, a->len, MADV_DONTNEED) ? -errno : 0;
}

static int sync_range(struct access *a)
{
	return msync(a->addr, a->len, MS_SYNC) ? -errno : 0;
}

/* Writes pages back that have just been pinned, and so are dirty: this locks their entries. */
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
	bool with_dma;		/* on pages with DMA under way */
};

static const struct kind faults[] = {
	{ "load", load, 8, false },
	{ "store", store, 8, false },
	{ "populate", populate, 1, false },
	{ "remap", remap, 1, false },
	{ "protect", protect, 1, false },
	{ "MADV_DONTNEED", dont_need, 1, false },
	{ .name = NULL },
};

static const struct kind syncs[] = {
	{ "fsync", sync_file, 1, false },
	{ "msync", sync_range, 1, false },
	{ "sync_file_range", write_back, 8, true },
	{ .name = NULL },
};

static const struct kind *choose(struct race_thread *thread, const struct kind *kinds)
{
	unsigned int sum = 0, pick;

	for (const struct kind *kind = kinds; kind->name; kind++)
		sum += kind->weight;
	pick = race_random(thread, sum);
	while (pick >= kinds->weight)
		pick -= kinds++->weight;
	return kinds;
}

/* Chooses the pages of a request that an operation is about to meet, if there is one. */
static void aim_at_dma(struct access *a)
{
	const struct race *race = a->thread->race;
	unsigned int from = race_random(a->thread, race->nr_threads);

	for (unsigned int t = 0; t < race->nr_threads; t++) {
		const struct race_thread *dma = &race->threads[(from + t) % race->nr_threads];
		/* A copy, since the thread may begin its next request at any time. */
		const struct race_event event = *race_last_event(dma);

		if (dma->role == RACE_DMA && dma->begun != dma->ended && event.count &&
		    race->files[event.file].wanted) {
			a->number = event.file;
			a->page = event.page;
			a->count = event.count;
			return;
		}
	}
}

static void access_once(struct race_thread *thread, const struct kind *kind)
{
	struct race *race = thread->race;
	struct access a = { .thread = thread, .number = race_random(thread, RACE_FILES) };

	a.map = race_random(thread, RACE_MAPS);
	a.count = 1 + race_random(thread, MAX_COUNT);
	a.page = race_random(thread, race->files[a.number].file.pages - a.count + 1);
	if (kind->with_dma)
		aim_at_dma(&a);
	a.file = &race->files[a.number];
	a.addr = a.file->maps[a.map] + a.page * a.file->file.page_size;
	a.len = a.count * a.file->file.page_size;
	race_begin(thread, kind->name, a.number, a.page, a.count);
	race_end(thread, kind->run(&a));
}

/* Does an operation meet DMA right now? That is when locked entries matter. */
static bool meets_dma(const struct race *race)
{
	for (unsigned int number = 0; number < RACE_FILES; number++)
		if (race->files[number].wanted && race->files[number].pins)
			return true;
	return false;
}

void race_access_run(struct race_thread *thread)
{
	struct race *race = thread->race;
	bool syncs_only = thread->role == RACE_SYNC;
	unsigned long *count = syncs_only ? &race->result->syncs : &race->result->faults;

	catch_faults();
	while (!race->stop) {
		if (race->no_faults) {
			race_poll();
			continue;
		}
		access_once(thread, choose(thread, syncs_only ? syncs : faults));
		race_count(count, 1);
		if (!syncs_only || !meets_dma(race))
			race_pause(thread, PAUSE_US);
	}
}
