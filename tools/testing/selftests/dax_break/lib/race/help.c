// SPDX-License-Identifier: GPL-2.0
#include "base/proc.h"
#include "call.h"
#include "deadline.h"
#include "finding.h"
#include "race/parts.h"

/* An operation that takes longer than this is late. */
#define PATIENCE_MS	50
/* One that takes longer than this, with nothing pinned, has not been woken. */
#define JUDGE_MS	2500

/* The thread of an operation that has been under way for @ms; NULL: there is none. */
static struct race_thread *late_operation(struct race *race, long ms)
{
	for (unsigned int t = 0; t < race->nr_threads; t++) {
		struct race_thread *thread = &race->threads[t];

		if (thread->role == RACE_OP && thread->begun != thread->ended &&
		    race_ms_since(race_last_event(thread)->ns) > ms)
			return thread;
	}
	return NULL;
}

const char *race_stack(const struct race_thread *thread)
{
	static __thread char text[400];

	proc_read(thread->tid, "stack", text, sizeof(text));
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = ' ';
	return text;
}

/* Unmaps everything, until the operation @what of @thread has gone on. False: it does not. */
static bool unmap_under(struct race *race, const struct race_thread *thread,
			unsigned long begun, const char *what)
{
	const char *stack = race_stack(thread);

	race->no_faults = true;
	if (call_bounded("munmap", race_unmap_all, race)) {
		race_harm(race, P3_YIELDS, "pages cannot be unmapped while %s waits: %s", what,
			  stack);
		return false;
	}
	if (!race_wait_ended(thread, begun, DEADLINE_MS)) {
		race_harm(race, P2_WAKES,
			  "%s does not return, with nothing pinned, and nothing mapped: %s", what,
			  stack);
		return false;
	}
	if (!race->result->unwoken++)
		finding_set(&race->result->asleep, P2_WAKES,
			    "%s slept on for %d ms with nothing pinned, until its file was unmapped: %s",
			    what, JUDGE_MS, stack);
	if (call_bounded("mmap", race_map_all, race))
		race_harm(race, 0, "the files cannot be mapped again: %s", why());
	race->no_faults = false;
	return true;
}

/*
 * A late operation may meet new DMA over and over, so DMA pauses. If that does not help,
 * the operation may have missed its wake-up because the page was faulted in again: then it
 * goes on once the page is unmapped. If that does not help either, it is stuck.
 */
static void help(struct race *race, const struct race_thread *thread)
{
	unsigned long begun = thread->begun;
	const char *what = race_last_event(thread)->what;
	const struct race_thread *dma;

	race->no_dma = true;
	dma = race_dma_wait(race);
	if (dma)
		race_harm(race, P3_YIELDS, "DMA of %s does not end while %s waits: %s", dma->name,
			  what, race_stack(dma));
	else if (race_wait_ended(thread, begun, JUDGE_MS) ||
		 unmap_under(race, thread, begun, what))
		race->no_dma = false;
}

/*
 * Once one operation has not been woken, the kernel is known to forget that. From then on
 * a late operation just has everything mapped anew, which wakes it, and the race goes on,
 * unless the operation has been late for very long.
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
		race_harm(race, P3_YIELDS, "pages cannot be mapped while an operation waits: %s",
			  why());
	race->result->nudged++;
	race_wait_ended(late, late->begun, PATIENCE_MS);
}
