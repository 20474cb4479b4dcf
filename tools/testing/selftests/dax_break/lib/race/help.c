// SPDX-License-Identifier: GPL-2.0
/*
 * Operations of a race that do not end: what keeps them, and what helps.
 */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "deadline.h"
#include "proc.h"
#include "race/internal.h"
#include "why.h"

/* An operation that takes longer is looked at: is it still waiting for something? */
#define PATIENCE_MS	50
/* Without DMA, until it counts as not woken. */
#define JUDGE_MS	2500

/* One that has been at it for @ms; NULL: none. */
static struct race_thread *late_operation(struct race *race, long ms)
{
	for (unsigned int t = 0; t < race->nr_threads; t++) {
		struct race_thread *thread = &race->threads[t];
		const struct race_event *event;

		if (strncmp(thread->name, "op", 2) || thread->begun == thread->ended)
			continue;
		event = &thread->log[(thread->events - 1) % RACE_EVENTS];
		if (race_event_age_ms(event) > ms)
			return thread;
	}
	return NULL;
}

static bool ends(const struct race_thread *thread, unsigned long begun, long ms)
{
	long deadline = deadline_in(ms);

	while (thread->ended < begun) {
		if (deadline_over(deadline))
			return false;
		deadline_pause();
	}
	return true;
}

void race_stack(const struct race_thread *thread, char *text, size_t size)
{
	char name[64];

	snprintf(name, sizeof(name), "task/%d/stack", thread->tid);
	proc_read(getpid(), name, text, size);
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = ' ';
}

/*
 * An operation that is late may have DMA to wait for, over and over: it gets a gap. If
 * that is not enough, it may have missed being woken, since the page has been faulted in
 * again: then it goes on once that is unmapped. Whoever waits for nothing at all, and
 * still does not end, is stuck.
 */
static void help(struct race *race, struct race_thread *thread)
{
	unsigned long begun = thread->begun, before[RACE_THREADS];
	const struct race_event *event = &thread->log[(thread->events - 1) % RACE_EVENTS];
	long deadline = deadline_in(DEADLINE_MS);
	const struct race_thread *dma;
	char stack[400];

	race->no_dma = true;
	race_dma_snapshot(race, before);
	do {
		deadline_pause();
		dma = race_dma_left(race, before);
	} while (dma && !deadline_over(deadline));
	if (dma) {
		race_stack(dma, stack, sizeof(stack));
		race_harm(race, "P3 broken: DMA of %s does not end while %s waits: %s", dma->name,
			  event->what, stack);
		return;
	}
	if (!ends(thread, begun, JUDGE_MS)) {
		race_stack(thread, stack, sizeof(stack));
		race->no_faults = true;
		if (call_bounded("munmap", race_unmap_all, race)) {
			race_harm(race, "P3 broken: pages cannot be unmapped while %s waits: %s",
				  event->what, stack);
			return;
		}
		if (!ends(thread, begun, DEADLINE_MS)) {
			race_harm(race,
				  "P2 broken: %s does not return, with nothing pinned, and nothing mapped: %s",
				  event->what, stack);
			return;
		}
		if (!race->result->unwoken++)
			snprintf(race->result->asleep, sizeof(race->result->asleep),
				 "P2 broken: %s slept on for %d ms with nothing pinned, until its file was unmapped: %s",
				 event->what, JUDGE_MS, stack);
		if (call_bounded("mmap", race_map_all, race))
			race_harm(race, "the files cannot be mapped again: %s", why());
		race->no_faults = false;
	}
	race->no_dma = false;
}

/*
 * Once it is known that nobody wakes operations, each that is late has all mapped anew
 * under it, and the race goes on: unless not even that has helped for long.
 */
void race_help_operations(struct race *race)
{
	struct race_thread *late = late_operation(race, PATIENCE_MS);

	if (!late)
		return;
	if (!race->result->unwoken || late_operation(race, DEADLINE_MS) == late) {
		help(race, late);
		return;
	}
	if (call_bounded("mmap", race_map_all, race))
		race_harm(race, "P3 broken: pages cannot be mapped while an operation waits: %s",
			  why());
	race->result->nudged++;
	ends(late, late->begun, PATIENCE_MS);
}
