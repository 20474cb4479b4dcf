// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "kselftest.h"
#include "quiet.h"
#include "race/internal.h"
#include "why.h"

/* Making everything, and taking it down, with an emulator's patience. */
#define AROUND_MS	60000
#define LOOK_MS		10
#define QUIET_MS	250

struct shared {
	struct race_result result;
	int rc;
	char why[512];
	atomic_bool stop;
};

static atomic_bool stopped;

void race_stop(void)
{
	stopped = true;
}

bool race_over(const struct race *race)
{
	return race->stop || race->harmed;
}

/* splitmix64: every seed is as good as any other, 0 as well. */
static __u64 next_random(__u64 *state)
{
	__u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

unsigned int race_random(struct race_thread *thread, unsigned int below)
{
	return next_random(&thread->random) % below;
}

void race_pause(struct race_thread *thread, unsigned int us)
{
	if (us)
		usleep(race_random(thread, us));
}

static double seconds_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - then->tv_sec + (now.tv_nsec - then->tv_nsec) / 1e9;
}

/* Under the lock, so that who tells of it first also shows how it came to that. */
static void found(struct race *race)
{
	if (!race->result->found_after)
		race->result->found_after = seconds_since(&race->began);
	race_log_print(race);
}

void race_harm(struct race *race, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&race->harm_lock);
	if (!race->harmed) {
		va_start(ap, fmt);
		vsnprintf(race->result->harm, sizeof(race->result->harm), fmt, ap);
		va_end(ap);
		found(race);
		race->harmed = true;
	}
	pthread_mutex_unlock(&race->harm_lock);
}

/* Has the kernel complained? */
static void listen(struct race *race)
{
	if (!quiet_check())
		return;
	pthread_mutex_lock(&race->harm_lock);
	if (!race->result->complaint[0]) {
		snprintf(race->result->complaint, sizeof(race->result->complaint),
			 "P9 broken: %s", why());
		found(race);
		race->stop |= race->spec->complaints_end_it;
	}
	pthread_mutex_unlock(&race->harm_lock);
}

int race_map(struct race *race, unsigned int number, unsigned int map, unsigned int page,
	     unsigned int count)
{
	const struct race_file *file = &race->files[number];
	size_t size = file->file.page_size;
	int prot = PROT_READ | (race->spec->class->read_only ? 0 : PROT_WRITE);

	return mmap(file->maps[map] + page * size, count * size, prot, MAP_SHARED | MAP_FIXED,
		    file->file.fd, page * size) == MAP_FAILED ? -errno : 0;
}

/* Nothing is mapped then, but the addresses stay taken. */
ssize_t race_unmap_all(void *arg)
{
	struct race *race = arg;

	for (unsigned int number = 0; number < RACE_FILES; number++)
		for (unsigned int map = 0; map < RACE_MAPS; map++) {
			const struct race_file *file = &race->files[number];

			if (file->maps[map] &&
			    mmap(file->maps[map], file->len, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
				 0) == MAP_FAILED)
				return -1;
		}
	return 0;
}

ssize_t race_map_all(void *arg)
{
	struct race *race = arg;

	for (unsigned int number = 0; number < RACE_FILES; number++)
		for (unsigned int map = 0; map < RACE_MAPS; map++)
			if (race_map(race, number, map, 0, race->files[number].file.pages))
				return -1;
	return 0;
}

static int map_file(struct race *race, struct race_file *file)
{
	const char *mapping = race->spec->class->read_only ? "read_only" : "shared";
	struct dax_file second = file->file;
	int rc = dax_file_map(&file->file, mapping, DAX_PMD);

	rc = rc ?: dax_file_map(&second, mapping, DAX_PTE);
	file->maps[0] = file->file.map;
	file->maps[1] = second.map;
	file->len = file->file.pages * file->file.page_size;
	return rc;
}

static int setup(struct race *race)
{
	int rc = race_sources_open(race) ?: race_ops_choose(race);

	for (unsigned int i = 0; !rc && i < RACE_FILES; i++)
		rc = race_file_create(race, i, &race->files[i].file);
	rc = rc ?: victim_crowd(&race->victim, race->spec->fs);
	for (unsigned int i = 0; !rc && i < RACE_FILES; i++)
		rc = map_file(race, &race->files[i]);
	return rc;
}

static void teardown(struct race *race)
{
	race_unmap_all(race);
	for (unsigned int i = 0; i < RACE_FILES; i++)
		dax_file_close(&race->files[i].file, false);
	victim_end(&race->victim);
	race_sources_close(race);
}

struct start {
	struct race_thread *thread;
	void *(*run)(void *thread);
};

static void *begin(void *arg)
{
	struct start start = *(struct start *)arg;

	free(arg);
	start.thread->tid = syscall(SYS_gettid);
	return start.run(start.thread);
}

static int start_thread(struct race *race, const char *kind, unsigned int number,
			void *(*run)(void *), const struct race_source *source)
{
	struct race_thread *thread = &race->threads[race->nr_threads];
	struct start *start = malloc(sizeof(*start));
	__u64 state = race->spec->seed + race->nr_threads;
	int rc;

	if (!start)
		return why_set(ENOMEM, "no memory for a thread");
	*start = (struct start){ thread, run };
	thread->race = race;
	thread->number = number;
	thread->random = next_random(&state);
	thread->source = source;
	snprintf(thread->name, sizeof(thread->name), "%s%u", kind, number);
	rc = pthread_create(&thread->thread, NULL, begin, start);
	if (rc) {
		free(start);
		return why_set(rc, "cannot create a thread: %s", strerror(rc));
	}
	race->nr_threads++;
	return 0;
}

/*
 * A thread for each source of DMA, or two if there is just the one that can be written to.
 * Not more: with many pages pinned, that one is not seen goes unnoticed, since operations
 * wait for the others.
 */
static int start_threads(struct race *race)
{
	bool read_only = race->spec->class->read_only;
	unsigned int dma = 0;
	int rc = 0;

	for (unsigned int i = 0; !rc && i < race->nr_sources; i++)
		for (int j = 0; !rc && j < (read_only ? 2 : 1); j++)
			if (!read_only || race->sources[i].sink)
				rc = start_thread(race, "dma", dma++, race_dma_run,
						  &race->sources[i]);
	for (unsigned int i = 0; !rc && i < 2; i++)
		rc = start_thread(race, "fault", i, race_fault_run, NULL);
	for (unsigned int i = 0; !rc && i < 2; i++)
		rc = start_thread(race, "sync", i, race_sync_run, NULL);
	rc = rc ?: start_thread(race, "victim", 0, race_victim_run, NULL);
	for (unsigned int i = 0; !rc && i < (race->spec->class->pairs ? 1 : RACE_FILES); i++)
		rc = start_thread(race, "op", i, race_op_run, NULL);
	return rc;
}

static void supervise(struct race *race, const atomic_bool *stop)
{
	long end = deadline_in(race->spec->seconds * 1000L), look = deadline_in(QUIET_MS);

	while (!race_over(race) && !deadline_over(end) && !*stop) {
		usleep(LOOK_MS * 1000);
		race_help_operations(race);
		if (!deadline_over(look))
			continue;
		listen(race);
		look = deadline_in(QUIET_MS);
	}
}

/* All threads end: operations that are waiting still need help with it. */
static bool join_threads(struct race *race)
{
	long deadline = deadline_in(4 * DEADLINE_MS);
	char stack[400];
	bool all = true;

	race->stop = true;
	for (unsigned int t = 0; t < race->nr_threads; t++) {
		int rc = EBUSY;

		while (rc && !deadline_over(deadline)) {
			race_help_operations(race);
			rc = pthread_tryjoin_np(race->threads[t].thread, NULL);
			if (rc)
				deadline_pause();
		}
		all &= !rc;
		if (!rc)
			continue;
		race_stack(&race->threads[t], stack, sizeof(stack));
		race_harm(race, "P2 broken: thread %s does not end: %s", race->threads[t].name,
			  stack);
	}
	return all;
}

/* In the process of the race. */
static int run(struct race *race, const atomic_bool *stop)
{
	int rc = setup(race);

	if (rc) {
		teardown(race);
		return rc;
	}
	clock_gettime(CLOCK_MONOTONIC, &race->began);
	rc = start_threads(race);
	if (!rc)
		supervise(race, stop);
	race->result->seconds = seconds_since(&race->began);
	/* What is still going on uses what would be taken down: this process' end ends it. */
	if (!join_threads(race))
		return rc;
	if (!race->harmed)
		race_files_check(race);
	teardown(race);
	listen(race);
	return rc;
}

static void child(const struct race_spec *spec, struct shared *shared)
{
	static struct race race;

	/* Dies with the test; ends when that says so, and not by a key that both get. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	pthread_mutex_init(&race.harm_lock, NULL);
	race.spec = spec;
	race.result = &shared->result;
	for (unsigned int i = 0; i < RACE_FILES; i++)
		race.files[i].file.fd = -1;
	shared->rc = run(&race, &shared->stop);
	snprintf(shared->why, sizeof(shared->why), "%s", why());
	fflush(stdout);
	_exit(0);
}

static void show_progress(const struct race_result *result)
{
	fprintf(stderr, "\r%lu operations, %lu met DMA; %lu DMAs; %lu victims of %lu pages ",
		result->operations, result->overlaps, result->dmas, result->victims,
		result->victim_pages);
}

int race_run(const struct race_spec *spec, struct race_result *result)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long deadline = deadline_in(spec->seconds * 1000L + AROUND_MS);
	bool gone = false, progress = isatty(STDERR_FILENO);
	int status, rc;
	pid_t pid;

	if (shared == MAP_FAILED)
		return why_set(ENOMEM, "no memory to share with a child");
	fflush(stdout);
	pid = fork();
	if (!pid)
		child(spec, shared);
	if (pid < 0)
		return why_set(errno, "cannot fork: %s", strerror(errno));
	while (!gone && !deadline_over(deadline)) {
		usleep(LOOK_MS * 1000);
		gone = waitpid(pid, &status, WNOHANG) == pid;
		shared->stop = stopped;
		if (progress)
			show_progress(&shared->result);
	}
	if (progress)
		fputc('\n', stderr);
	if (!gone) {
		kill(pid, SIGKILL);
		if (!deadline_wait_child(pid, DEADLINE_MS, &status))
			fprintf(stderr, "# left behind: process %d survives SIGKILL\n", pid);
		if (!shared->result.harm[0])
			strcpy(shared->result.harm, "P2 broken: the race does not end");
	} else if (status && !shared->result.harm[0]) {
		snprintf(shared->result.harm, sizeof(shared->result.harm),
			 "the race ended with status %#x", status);
	}
	*result = shared->result;
	rc = shared->rc;
	if (rc)
		why_set(-rc, "%s", shared->why);
	munmap(shared, sizeof(*shared));
	return rc ?: stopped ? -EINTR : 0;
}
