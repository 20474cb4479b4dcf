// SPDX-License-Identifier: GPL-2.0
/*
 * The oracles of races must find data that is put in the wrong place on purpose, and say
 * where it came from.
 */
#include <unistd.h>

#include "dax_break.h"
#include "race/parts.h"

FIXTURE(race) {
	struct race race;
	struct race_result result;
	struct race_spec spec;
	__u64 *content;
};

FIXTURE_VARIANT(race) {
	struct fs_op on;
};

/* As much of a race as the oracles look at; no thread runs. */
FIXTURE_SETUP(race)
{
	struct race *race = &self->race;

	self->spec.fs = variant->on.fs;
	self->spec.mix = race_mix_find("blocks");
	race->spec = &self->spec;
	race->result = &self->result;
	race->all_tagged = true;
	pthread_mutex_init(&race->harm_lock, NULL);
	for (unsigned int i = 0; i < RACE_FILES; i++)
		race->files[i].file.page_size = sysconf(_SC_PAGESIZE);
	race_begin(race_thread_add(race, RACE_OP), "punch", 1, 2, 4);
	race_end(&race->threads[0], 0);
	self->content = calloc(1, sysconf(_SC_PAGESIZE));
	ASSERT_NE(NULL, self->content);
}

FIXTURE_TEARDOWN(race)
{
	victim_end(&self->race.victim);
	free(self->content);
}

/* File 1 may hold data of a device, a store, its first content, or zeroes. */
TEST_F(race, knows_what_is_its_own)
{
	self->content[1] = race_source_word(race_source_index(1, 3, 5));
	self->content[2] = race_store_word(1, 3, 0, 77);
	self->content[3] = (RACE_TAG + 1) << 32 | 0xda000003;
	self->content[4] = gate_pattern(1) * 0x0101010101010101ULL;
	EXPECT_TRUE(race_content_ok(&self->race, 1, 3, self->content, "read(2)"));
	EXPECT_EQ(0U, self->result.harm.promise);
	/* The other file may not hold any of that. */
	self->content[5] = self->content[4];
	EXPECT_FALSE(race_content_ok(&self->race, 0, 3, self->content, "read(2)"));
}

TEST_F(race, names_dma_for_another_file)
{
	const struct finding *harm = &self->result.harm;

	self->content[5] = race_source_word(race_source_index(1, 3, 5));
	/* A single word may be half written. */
	ASSERT_TRUE(race_content_ok(&self->race, 0, 7, self->content, "read(2)"));
	self->content[6] = self->content[5];
	ASSERT_FALSE(race_content_ok(&self->race, 0, 7, self->content, "read(2)"));
	EXPECT_TRUE(harm->promise == P5_LOSES_NOTHING);
	EXPECT_NE(NULL, strstr(harm->text, "in page 7 of file 0, read(2) finds"));
	EXPECT_NE(NULL, strstr(harm->text, "what DMA brought for page 3 of file 1"));
	EXPECT_NE(NULL, strstr(harm->text, "was punch of 4 pages from page 2 on, by op0"));
	EXPECT_TRUE(self->race.stop);
}

TEST_F(race, names_a_store_to_another_file)
{
	const struct finding *harm = &self->result.harm;

	self->content[510] = race_store_word(1, 3, 1, 77);
	self->content[511] = self->content[510];
	ASSERT_FALSE(race_content_ok(&self->race, 0, 7, self->content, "DMA"));
	EXPECT_NE(NULL, strstr(harm->text, "stored by fault1 to page 3 of file 1"));
}

/* If blocks move between the files, only foreign data is harm. */
TEST_F(race, lets_pairs_exchange)
{
	self->spec.mix = race_mix_find("exchange");
	self->content[5] = race_source_word(race_source_index(1, 3, 5));
	self->content[4] = self->content[5];
	EXPECT_TRUE(race_content_ok(&self->race, 0, 7, self->content, "read(2)"));
	self->content[6] = 0x20da000007;
	self->content[7] = self->content[6];
	EXPECT_FALSE(race_content_ok(&self->race, 0, 7, self->content, "read(2)"));
}

TEST_F(race, names_what_hit_the_victim)
{
	struct victim *victim = &self->race.victim;
	__u64 word = race_source_word(race_source_index(1, 3, 5));

	REQUIRE(return, victim_crowd(victim, variant->on.fs));
	REQUIRE(return, victim_take_now(victim));
	ASSERT_LT(2U, victim->file.pages);
	ASSERT_EQ(0, victim_check(victim));
	ASSERT_EQ(8, pwrite(victim->file.fd, &word, 8, 2 * victim->file.page_size + 80));
	ASSERT_NE(0, victim_check(victim));
	EXPECT_NE(NULL, strstr(why(), "page 2 of another file"));
	EXPECT_EQ(word, victim->found);
	EXPECT_NE(NULL, strstr(race_word_describe(&self->race, victim->found),
			       "what DMA brought for page 3 of file 1; the last operation"));
}

static void add_variants(void)
{
	VARIANTS_OF_FILESYSTEMS(race, FS_PMEM);
}

DAX_BREAK_MAIN_UNCHECKED("data is put in the wrong place on purpose", .variants = add_variants)
