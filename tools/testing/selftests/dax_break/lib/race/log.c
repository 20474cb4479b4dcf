// SPDX-License-Identifier: GPL-2.0
/*
 * Whose a word of 64 bits is, and who did what of late.
 *
 *	D15C.... ........	a page of a source: its index there
 *	570E.... ........	a store: file, page, thread, generation
 *	@@@@@@@@ AAAAAAAA ...	the gate: a byte for each slot, which is a file's
 *	..TAG... DAxxxxxx	what a file began with (dax_file.h), by a tag of its own
 *	........ DAxxxxxx	the same with another tag: not a file of the race
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kselftest.h"
#include "race/internal.h"

#define SOURCE_MAGIC	0xd15cULL
#define STORE_MAGIC	0x570eULL
/* Of each thread, when it is printed. */
#define PRINTED		6U

__u64 race_source_word(unsigned int index)
{
	return SOURCE_MAGIC << 48 | index;
}

unsigned int race_source_index(unsigned int file, unsigned int page, unsigned int turn)
{
	return (turn * RACE_FILES + file) * RACE_PAGES + page;
}

__u64 race_store_word(unsigned int file, unsigned int page, unsigned int thread,
		      unsigned int generation)
{
	return STORE_MAGIC << 48 | (__u64)(file & 0xff) << 40 | (__u64)(page & 0xffff) << 24 |
	       (thread & 0xf) << 20 | (generation & 0xfffff);
}

/* The slot of the gate whose answer @word is; -1: of none. */
static int gate_slot(__u64 word)
{
	for (unsigned int slot = 0; slot < RACE_FILES; slot++)
		if (word == gate_pattern(slot) * 0x0101010101010101ULL)
			return slot;
	return -1;
}

int race_word_file(const struct race *race, __u64 word)
{
	unsigned int file;

	if (word >> 48 == SOURCE_MAGIC)
		return (__u32)word / RACE_PAGES % RACE_FILES;
	if (word >> 48 == STORE_MAGIC)
		return word >> 40 & 0xff;
	if (gate_slot(word) >= 0)
		return gate_slot(word);
	if (word >> 56 || (word >> 24 & 0xff) != 0xda)
		return race->all_tagged ? -1 : -2;
	for (file = 0; file < RACE_FILES; file++)
		if (word >> 32 == RACE_TAG + file)
			return file;
	return -1;
}

/* The last that was done to @page of @file by an operation; NULL: nothing is known. */
static const struct race_event *last_operation(const struct race *race, unsigned int file,
					       unsigned int page, const char **who)
{
	const struct race_event *last = NULL;

	for (unsigned int t = 0; t < race->nr_threads; t++) {
		const struct race_thread *thread = &race->threads[t];

		if (strncmp(thread->name, "op", 2))
			continue;
		for (unsigned int i = 0; i < RACE_EVENTS; i++) {
			const struct race_event *event = &thread->log[i];

			if (!event->ns || event->file != file || page < event->page ||
			    page >= event->page + event->count || (last && event->ns < last->ns))
				continue;
			last = event;
			*who = thread->name;
		}
	}
	return last;
}

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

double race_event_age_ms(const struct race_event *event)
{
	return ((double)now_ns() - event->ns) / 1e6;
}

const char *race_word_describe(const struct race *race, __u64 word)
{
	static char text[512];
	const struct race_event *op = NULL;
	const char *who = "";
	int file = race_word_file(race, word);
	unsigned int page = RACE_PAGES;
	size_t len;

	if (word >> 48 == SOURCE_MAGIC) {
		page = (__u32)word % RACE_PAGES;
		len = snprintf(text, sizeof(text), "what DMA brought for page %u of file %d", page,
			       file);
	} else if (word >> 48 == STORE_MAGIC) {
		page = word >> 24 & 0xffff;
		len = snprintf(text, sizeof(text), "stored by fault%u to page %u of file %d",
			       (unsigned int)(word >> 20 & 0xf), page, file);
	} else if (gate_slot(word) >= 0) {
		len = snprintf(text, sizeof(text), "what DMA from the gate brought for file %d",
			       file);
	} else if (file >= 0) {
		page = word & 0xffff;
		len = snprintf(text, sizeof(text), "what page %u of file %d began with", page,
			       file);
	} else {
		len = snprintf(text, sizeof(text), "%#llx, which no thread of this race wrote",
			       (unsigned long long)word);
	}
	if (page < RACE_PAGES)
		op = last_operation(race, file, page, &who);
	if (op)
		snprintf(text + len, sizeof(text) - len,
			 "; the last operation there was %s of %u pages from page %u on, by %s, begun %.3f ms ago",
			 op->what, op->count, op->page, who, race_event_age_ms(op));
	return text;
}

struct race_event *race_begin(struct race_thread *thread, const char *what, unsigned int file,
			      unsigned int page, unsigned int count)
{
	struct race_event *event = &thread->log[thread->events++ % RACE_EVENTS];

	*event = (struct race_event){
		.ns = now_ns(), .what = what, .file = file, .page = page, .count = count,
	};
	return event;
}

void race_end(struct race_event *event, long result)
{
	event->result = result;
	event->end_ns = now_ns();
}

struct line {
	const struct race_thread *thread;
	struct race_event event;
};

static int by_time(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return (x->event.ns > y->event.ns) - (x->event.ns < y->event.ns);
}

void race_log_print(const struct race *race)
{
	static struct line lines[RACE_THREADS * PRINTED];
	size_t n = 0;

	for (unsigned int t = 0; t < race->nr_threads; t++) {
		const struct race_thread *thread = &race->threads[t];
		unsigned long end = thread->events;

		for (unsigned long i = end > PRINTED ? end - PRINTED : 0; i < end; i++)
			lines[n++] = (struct line){ thread, thread->log[i % RACE_EVENTS] };
	}
	qsort(lines, n, sizeof(lines[0]), by_time);
	for (size_t i = 0; i < n; i++) {
		const struct race_event *event = &lines[i].event;
		char end[48] = "under way";

		if (event->end_ns)
			snprintf(end, sizeof(end), "%ld after %.3f ms", event->result,
				 (event->end_ns - event->ns) / 1e6);
		printf("# %10.3f ms %-8s %s file %u pages %u..%u: %s\n",
		       -race_event_age_ms(event), lines[i].thread->name, event->what,
		       event->file, event->page, event->page + event->count - 1, end);
	}
}
