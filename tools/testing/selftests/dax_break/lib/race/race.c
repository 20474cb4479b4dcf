// SPDX-License-Identifier: GPL-2.0
/*
 * A race from beginning to end, in a process of its own: makes the files and all that is
 * needed, starts the threads, watches them, and takes everything down.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "finding.h"
#include "race/parts.h"

/* For making everything, and taking it down, even on an emulator. */
#define AROUND_MS	60000
/* How often to look after the threads, and for complaints of the kernel. */
#define LOOK_MS		10
#define QUIET_MS	250

/* What the process of the race shares with the one that has started it. */
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

__u64 race_new_seed(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (__u64)(now.tv_sec ^ now.tv_nsec);
}

static int setup(struct race *race)
{
	int rc = race_sources_open(race) ?: race_choose_ops(race);

	for (unsigned int i = 0; !rc && i < RACE_FILES; i++)
		rc = race_file_create(race, i, &race->files[i].file);
	rc = rc ?: victim_crowd(&race->victim, race->spec->fs);
	for (unsigned int i = 0; !rc && i < RACE_FILES; i++)
		rc = race_file_map(race, &race->files[i]);
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

static void *live(void *arg)
{
	static void (*const lives[RACE_ROLES])(struct race_thread *thread) = {
		[RACE_DMA] = race_dma_run,
		[RACE_FAULT] = race_access_run,
		[RACE_SYNC] = race_access_run,
		[RACE_VICTIM] = race_victim_run,
		[RACE_OP] = race_op_run,
	};
	struct race_thread *thread = arg;

	thread->tid = gettid();
	lives[thread->role](thread);
	return NULL;
}

static int start(struct race *race, enum race_role role, unsigned int count,
		 const struct race_source *source)
{
	while (count--) {
		struct race_thread *thread = race_thread_add(race, role);
		int rc;

		thread->source = source;
		rc = pthread_create(&thread->thread, NULL, live, thread);
		if (rc) {
			race->nr_threads--;
			return why_set(rc, "cannot create a thread: %s", strerror(rc));
		}
	}
	return 0;
}

/*
 * Starts a thread for each source of DMA, or two if only the one that can be written to is
 * of use. More would hide bugs: if a scan misses one of many pinned pages, the operation
 * still waits for the others.
 */
static int start_threads(struct race *race)
{
	const struct race_mix *mix = race->spec->mix;
	int rc = 0;

	for (unsigned int i = 0; !rc && i < race->nr_sources; i++)
		if (!mix->read_only || race->sources[i].sink)
			rc = start(race, RACE_DMA, mix->read_only ? 2 : 1, &race->sources[i]);
	return rc ?: start(race, RACE_FAULT, 2, NULL) ?: start(race, RACE_SYNC, 2, NULL) ?:
	       start(race, RACE_VICTIM, 1, NULL) ?:
	       start(race, RACE_OP, mix->pairs ? 1 : RACE_FILES, NULL);
}

static void supervise(struct race *race, const atomic_bool *stop)
{
	long end = deadline_in(race->spec->seconds * 1000L), look = deadline_in(QUIET_MS);

	while (!race->stop && !deadline_over(end) && !*stop) {
		usleep(LOOK_MS * 1000);
		race_help_operations(race);
		if (!deadline_over(look))
			continue;
		race_listen(race);
		look = deadline_in(QUIET_MS);
	}
}

/* Ends all threads. Operations that wait may still need help. False: one does not end. */
static bool join_threads(struct race *race)
{
	long deadline = deadline_in(4 * DEADLINE_MS);

	race->stop = true;
	for (struct race_thread *t = race->threads; t < race->threads + race->nr_threads; t++) {
		while (pthread_tryjoin_np(t->thread, NULL)) {
			if (deadline_over(deadline)) {
				race_harm(race, P2_WAKES, "thread %s does not end: %s", t->name,
					  race_stack(t));
				return false;
			}
			race_help_operations(race);
			deadline_pause();
		}
	}
	return true;
}

static int run(struct race *race, const atomic_bool *stop)
{
	int rc = setup(race);

	if (rc) {
		teardown(race);
		return rc;
	}
	race->began_ns = race_now_ns();
	rc = start_threads(race);
	if (!rc)
		supervise(race, stop);
	race->result->seconds = race_ms_since(race->began_ns) / 1000;
	/* A thread that is left still uses everything: only the process' end can end it. */
	if (!join_threads(race))
		return rc;
	if (!race->result->harm.text[0])
		race_files_check(race);
	teardown(race);
	race_listen(race);
	return rc;
}

/* The process of the race. */
static void child(const struct race_spec *spec, struct shared *shared)
{
	static struct race race;

	/* It dies with its parent. Only the parent minds signals, and stops the race. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	pthread_mutex_init(&race.harm_lock, NULL);
	race.spec = spec;
	race.result = &shared->result;
	race.prot = spec->mix->read_only ? PROT_READ : PROT_READ | PROT_WRITE;
	for (unsigned int i = 0; i < RACE_FILES; i++)
		race.files[i].file.fd = -1;
	shared->rc = run(&race, &shared->stop);
	snprintf(shared->why, sizeof(shared->why), "%s", why());
	fflush(stdout);
	_exit(0);
}

/* Waits for the end of process @pid, and makes a failure of an end that is not normal. */
static void await(pid_t pid, struct shared *shared, long deadline)
{
	bool gone = false, progress = isatty(STDERR_FILENO);
	struct race_result *result = &shared->result;
	int status;

	while (!gone && !deadline_over(deadline)) {
		usleep(LOOK_MS * 1000);
		gone = waitpid(pid, &status, WNOHANG) == pid;
		shared->stop = stopped;
		if (progress)
			fprintf(stderr,
				"\r%lu operations, %lu met DMA; %lu DMAs; %lu victims of %lu pages ",
				result->operations, result->overlaps, result->dmas,
				result->victims, result->victim_pages);
	}
	if (progress)
		fputc('\n', stderr);
	if (!gone) {
		kill(pid, SIGKILL);
		if (!deadline_wait_child(pid, DEADLINE_MS, &status))
			fprintf(stderr, "# left behind: process %d survives SIGKILL\n", pid);
	}
	if (result->harm.text[0])
		return;
	if (!gone)
		finding_set(&result->harm, P2_WAKES, "the race does not end");
	else if (status)
		finding_set(&result->harm, 0, "the race ended with status %#x", status);
}

int race_run(const struct race_spec *spec, struct race_result *result)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long deadline = deadline_in(spec->seconds * 1000L + AROUND_MS);
	pid_t pid;
	int rc;

	if (shared == MAP_FAILED)
		return why_set(ENOMEM, "no memory to share with a child");
	fflush(stdout);
	pid = fork();
	if (!pid)
		child(spec, shared);
	if (pid < 0) {
		rc = why_set(errno, "cannot fork: %s", strerror(errno));
	} else {
		await(pid, shared, deadline);
		*result = shared->result;
		rc = shared->rc ? why_set(-shared->rc, "%s", shared->why) : 0;
	}
	munmap(shared, sizeof(*shared));
	return rc ?: stopped ? -EINTR : 0;
}
