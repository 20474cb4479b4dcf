// SPDX-License-Identifier: GPL-2.0
/*
 * The next owner of every block that the operations of a race free, and who looks
 * whether all stays where it belongs: nothing of the race in the victim's pages, and
 * nothing of the victim, or of the other file, in the race's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "race/internal.h"
#include "why.h"

/* What the victim leaves the others when it has given its blocks back. */
#define GAP_US	100000

/* All DMA that may be for its blocks has ended when it looks. */
static void take_and_look(struct race_thread *thread)
{
	struct race *race = thread->race;
	struct victim *victim = &race->victim;
	unsigned long before[RACE_THREADS];
	long deadline = deadline_in(DEADLINE_MS);
	int rc = victim_take_now(victim);
	struct race_event *event;

	if (rc == -ENOSPC)	/* not even for an inode */
		return;
	if (rc) {
		race_harm(race, "P5 broken: no file can be made of the blocks that are free: %s",
			  why());
		return;
	}
	event = race_begin(thread, "a victim's life", RACE_FILES, 0, victim->file.pages);
	race_dma_snapshot(race, before);
	while (race_dma_left(race, before) && !deadline_over(deadline))
		race_poll();
	rc = victim_check(victim);
	race_end(event, rc);
	if (rc)
		race_harm(race, "P5 broken: %s: %s", why(),
			  race_word_describe(race, victim->found));
	__atomic_add_fetch(&race->result->victims, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&race->result->victim_pages, victim->file.pages, __ATOMIC_RELAXED);
	dax_file_close(&victim->file, false);
}

void *race_victim_run(void *arg)
{
	struct race_thread *thread = arg;

	while (!race_over(thread->race)) {
		take_and_look(thread);
		race_pause(thread, GAP_US);
	}
	return NULL;
}

/* A file of a pair whose blocks are exchanged or shared may hold the other's as well. */
static bool may_hold(const struct race *race, unsigned int number, __u64 word)
{
	int file = race_word_file(race, word);

	return !word || file == -2 || file == (int)number ||
	       (file >= 0 && race->spec->class->pairs);
}

bool race_content_ok(struct race *race, unsigned int number, unsigned int page,
		     const void *content, const char *reader)
{
	const __u64 *words = content;

	/*
	 * While others write to the page, one word may be half of what was there and half
	 * of what comes. Nobody writes only one word.
	 */
	for (size_t i = 1; i < race->files[number].file.page_size / sizeof(*words); i++) {
		if (words[i] != words[i - 1] || may_hold(race, number, words[i]))
			continue;
		race_harm(race, "P5 broken: in page %u of file %u, %s finds %s", page, number,
			  reader, race_word_describe(race, words[i]));
		return false;
	}
	return true;
}

void race_files_check(struct race *race)
{
	size_t size = race->files[0].file.page_size;
	char *content = malloc(size);

	for (unsigned int number = 0; content && number < RACE_FILES; number++) {
		const struct dax_file *file = &race->files[number].file;

		for (unsigned int page = 0; page < file->pages; page++)
			if (pread(file->fd, content, size, page * size) == (ssize_t)size &&
			    !race_content_ok(race, number, page, content, "read(2)"))
				break;
	}
	free(content);
}
