// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "deadline.h"
#include "finding.h"
#include "quiet.h"
#include "race/ground.h"

/* Events of each thread that are printed. */
#define PRINTED		6U

static const char *const roles[RACE_ROLES] = {
	[RACE_DMA] = "dma",
	[RACE_FAULT] = "fault",
	[RACE_SYNC] = "sync",
	[RACE_VICTIM] = "victim",
	[RACE_OP] = "op",
};

/* The generator splitmix64: it needs no warming up, whatever the seed. */
static __u64 next_random(__u64 *state)
{
	__u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

struct race_thread *race_thread_add(struct race *race, enum race_role role)
{
	struct race_thread *thread = &race->threads[race->nr_threads];
	__u64 state = race->spec->seed + race->nr_threads;

	for (unsigned int t = 0; t < race->nr_threads; t++)
		thread->number += race->threads[t].role == role;
	thread->race = race;
	thread->role = role;
	thread->random = next_random(&state);
	snprintf(thread->name, sizeof(thread->name), "%s%u", roles[role], thread->number);
	race->nr_threads++;
	return thread;
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

__u64 race_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

double race_ms_since(__u64 ns)
{
	return ((double)race_now_ns() - ns) / 1e6;
}

void race_begin(struct race_thread *thread, const char *what, unsigned int file,
		unsigned int page, unsigned int count)
{
	thread->log[thread->begun % RACE_EVENTS] = (struct race_event){
		.ns = race_now_ns(), .what = what, .who = thread->name,
		.file = file, .page = page, .count = count,
	};
	thread->begun++;
}

void race_end(struct race_thread *thread, long result)
{
	struct race_event *event = &thread->log[(thread->begun - 1) % RACE_EVENTS];

	event->result = result;
	event->end_ns = race_now_ns();
	thread->ended++;
}

bool race_wait_ended(const struct race_thread *thread, unsigned long begun, long ms)
{
	long deadline = deadline_in(ms);

	while (thread->ended < begun) {
		if (deadline_over(deadline))
			return false;
		race_poll();
	}
	return true;
}

const struct race_event *race_last_operation(const struct race *race, unsigned int file,
					     unsigned int page)
{
	const struct race_event *last = NULL;

	for (unsigned int t = 0; t < race->nr_threads; t++) {
		const struct race_thread *thread = &race->threads[t];

		if (thread->role != RACE_OP)
			continue;
		for (unsigned int i = 0; i < RACE_EVENTS; i++) {
			const struct race_event *event = &thread->log[i];

			if (event->ns && event->file == file && page >= event->page &&
			    page < event->page + event->count &&
			    (!last || event->ns >= last->ns))
				last = event;
		}
	}
	return last;
}

static int by_time(const void *a, const void *b)
{
	const struct race_event *x = a, *y = b;

	return (x->ns > y->ns) - (x->ns < y->ns);
}

static void print(const struct race_event *event)
{
	char end[48] = "under way";

	if (event->end_ns)
		snprintf(end, sizeof(end), "%ld after %.3f ms", event->result,
			 (event->end_ns - event->ns) / 1e6);
	printf("# %10.3f ms %-8s %s file %u pages %u..%u: %s\n", -race_ms_since(event->ns),
	       event->who, event->what, event->file, event->page,
	       event->page + event->count - 1, end);
}

/* Prints the last events of all threads, oldest first, as lines of diagnosis. */
static void print_log(const struct race *race)
{
	static struct race_event events[RACE_THREADS * PRINTED];
	size_t n = 0;

	for (unsigned int t = 0; t < race->nr_threads; t++) {
		const struct race_thread *thread = &race->threads[t];
		unsigned long end = thread->begun;

		for (unsigned long i = end > PRINTED ? end - PRINTED : 0; i < end; i++)
			events[n++] = thread->log[i % RACE_EVENTS];
	}
	qsort(events, n, sizeof(events[0]), by_time);
	for (size_t i = 0; i < n; i++)
		print(&events[i]);
}

/* Called with the lock held, so that the log is printed once, and right after the event. */
static void note_time(struct race *race)
{
	if (!race->result->found_after)
		race->result->found_after = race_ms_since(race->began_ns) / 1000;
	print_log(race);
}

void race_harm(struct race *race, enum promise promise, const char *fmt, ...)
{
	struct finding *harm = &race->result->harm;
	va_list ap;

	pthread_mutex_lock(&race->harm_lock);
	if (!harm->text[0]) {
		harm->promise = promise;
		va_start(ap, fmt);
		vsnprintf(harm->text, sizeof(harm->text), fmt, ap);
		va_end(ap);
		note_time(race);
		race->stop = true;
	}
	pthread_mutex_unlock(&race->harm_lock);
}

void race_listen(struct race *race)
{
	struct finding *complaint = &race->result->complaint;

	if (!quiet_check())
		return;
	pthread_mutex_lock(&race->harm_lock);
	if (!complaint->promise) {
		finding_set(complaint, P9_QUIET, "%s", why());
		note_time(race);
		race->stop |= race->spec->complaints_end_it;
	}
	pthread_mutex_unlock(&race->harm_lock);
}
