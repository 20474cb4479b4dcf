// SPDX-License-Identifier: GPL-2.0
#include <errno.h>

#include "finding.h"
#include "race/parts.h"

/* How long the blocks are left to the others, at most, between two victims. */
#define GAP_US	100000

/* Waits for all DMA that may still be meant for the blocks, and then checks them. */
static void take_and_check(struct race_thread *thread)
{
	struct race *race = thread->race;
	struct victim *victim = &race->victim;
	int rc = victim_take_now(victim);

	if (rc == -ENOSPC)	/* not even for an inode */
		return;
	if (rc) {
		race_harm(race, P5_LOSES_NOTHING,
			  "no file can be made of the blocks that are free: %s", why());
		return;
	}
	race_begin(thread, "a victim's life", RACE_FILES, 0, victim->file.pages);
	race_dma_wait(race);
	rc = victim_check(victim);
	race_end(thread, rc);
	if (rc)
		race_harm(race, P5_LOSES_NOTHING, "%s: %s", why(),
			  race_word_describe(race, victim->found));
	race_count(&race->result->victims, 1);
	race_count(&race->result->victim_pages, victim->file.pages);
	dax_file_close(&victim->file, false);
}

void race_victim_run(struct race_thread *thread)
{
	while (!thread->race->stop) {
		take_and_check(thread);
		race_pause(thread, GAP_US);
	}
}
