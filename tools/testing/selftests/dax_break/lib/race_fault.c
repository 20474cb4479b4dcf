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

#include "deadline.h"
#include "kselftest.h"
#include "race_internal.h"

/* Pages that are unmapped, protected or written back at a time, at most. */
#define MAX_COUNT	16U
/* A store is of so many words: what follows from it is seen in any of them. */
#define STORE_WORDS	8U
/* Between one fsync() and the next; between two accesses. */
#define SYNC_PAUSE_US	2000
#define FAULT_PAUSE_US	200

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

/* Not only for that moment: whoever accesses it meanwhile has his signal, or EFAULT. */
static int remap(struct access *a)
{
	if (munmap(a->addr, a->len))
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

static int sync_file(struct access *a)
{
	return fsync(a->file->file.fd) ? -errno : 0;
}

struct kind {
	const char *name;
	int (*run)(struct access *a);
	unsigned int weight;
};

static const struct kind faults[] = {
	{ "load", load, 8 },
	{ "store", store, 8 },
	{ "populate", populate, 1 },
	{ "remap", remap, 1 },
	{ "protect", protect, 1 },
	{ "MADV_DONTNEED", dont_need, 1 },
};

static const struct kind syncs[] = {
	{ "fsync", sync_file, 3 },
	{ "msync", sync_range, 1 },
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

static void access_once(struct race_thread *thread, const struct kind *kind)
{
	struct race *race = thread->race;
	struct access a = { .thread = thread, .number = race_random(thread, RACE_FILES) };
	struct race_event *event;

	a.file = &race->files[a.number];
	a.map = race_random(thread, RACE_MAPS);
	a.count = 1 + race_random(thread, MAX_COUNT);
	if (a.count > a.file->file.pages)
		a.count = a.file->file.pages;
	a.page = race_random(thread, a.file->file.pages - a.count + 1);
	a.addr = a.file->maps[a.map] + a.page * a.file->file.page_size;
	a.len = a.count * a.file->file.page_size;
	event = race_begin(thread, kind->name, a.number, a.page, a.count);
	race_end(event, kind->run(&a));
}

void *race_fault_run(void *arg)
{
	struct race_thread *thread = arg;

	catch_faults();
	while (!race_over(thread->race)) {
		if (thread->race->no_faults) {
			deadline_pause();
			continue;
		}
		access_once(thread, choose(thread, faults, ARRAY_SIZE(faults)));
		__atomic_add_fetch(&thread->race->result->faults, 1, __ATOMIC_RELAXED);
		race_pause(thread, FAULT_PAUSE_US);
	}
	return NULL;
}

void *race_sync_run(void *arg)
{
	struct race_thread *thread = arg;

	while (!race_over(thread->race)) {
		access_once(thread, choose(thread, syncs, ARRAY_SIZE(syncs)));
		__atomic_add_fetch(&thread->race->result->syncs, 1, __ATOMIC_RELAXED);
		race_pause(thread, SYNC_PAUSE_US);
	}
	return NULL;
}
