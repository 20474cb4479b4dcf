// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

#include "race/ground.h"

#define SOURCE_MAGIC	0xd15cULL
#define STORE_MAGIC	0x570eULL

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

/* The slot of the gate that answers with @word; -1: none does. */
static int gate_slot(__u64 word)
{
	for (unsigned int slot = 0; slot < RACE_FILES; slot++)
		if (word == gate_pattern(slot) * 0x0101010101010101ULL)
			return slot;
	return -1;
}

int race_word_file(const struct race *race, __u64 word)
{
	if (word >> 48 == SOURCE_MAGIC)
		return (__u32)word / RACE_PAGES % RACE_FILES;
	if (word >> 48 == STORE_MAGIC)
		return word >> 40 & 0xff;
	if (gate_slot(word) >= 0)
		return gate_slot(word);
	if (word >> 56 || (word >> 24 & 0xff) != 0xda)
		return race->all_tagged ? RACE_NOBODY : RACE_ANYBODY;
	for (unsigned int file = 0; file < RACE_FILES; file++)
		if (word >> 32 == RACE_TAG + file)
			return file;
	return RACE_NOBODY;
}

const char *race_word_describe(const struct race *race, __u64 word)
{
	static __thread char text[512];
	const struct race_event *op = NULL;
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
		op = race_last_operation(race, file, page);
	if (op)
		snprintf(text + len, sizeof(text) - len,
			 "; the last operation there was %s of %u pages from page %u on, by %s, begun %.3f ms ago",
			 op->what, op->count, op->page, op->who, race_ms_since(op->ns));
	return text;
}
