// SPDX-License-Identifier: GPL-2.0
/*
 * The oracles of races against data that is put in the wrong place on purpose: it is
 * found, and named.
 */
#include <unistd.h>

#include "dax_break.h"
#include "race/internal.h"

FIXTURE(race) {
	struct race race;
	struct race_result result;
	struct race_spec spec;
	__u64 *content;
};

FIXTURE_VARIANT(race) {
	const char *fs;
};

FIXTURE_VARIANT_ADD(race, ext4) { "ext4" };
FIXTURE_VARIANT_ADD(race, xfs) { "xfs" };

/* As much of a race as the oracles look at; nothing goes on. */
FIXTURE_SETUP(race)
{
	struct race *race = &self->race;

	self->spec.fs = variant->fs;
	self->spec.class = race_class_find("blocks");
	race->spec = &self->spec;
	race->result = &self->result;
	race->all_tagged = true;
	pthread_mutex_init(&race->harm_lock, NULL);
	for (unsigned int i = 0; i < RACE_FILES; i++)
		race->files[i].file.page_size = sysconf(_SC_PAGESIZE);
	race->nr_threads = 1;
	race->threads[0].race = race;
	memcpy(race->threads[0].name, "op1", 4);
	race_end(race_begin(&race->threads[0], "punch", 1, 2, 4), 0);
	self->content = calloc(1, sysconf(_SC_PAGESIZE));
	ASSERT_NE(NULL, self->content);
}

FIXTURE_TEARDOWN(race)
{
	victim_end(&self->race.victim);
	free(self->content);
}

/* Of file 1: what a device brought for it, a store, what it began with, nothing. */
TEST_F(race, knows_what_is_its_own)
{
	self->content[1] = race_source_word(race_source_index(1, 3, 5));
	self->content[2] = race_store_word(1, 3, 0, 77);
	self->content[3] = (RACE_TAG + 1) << 32 | 0xda000003;
	self->content[4] = gate_pattern(1) * 0x0101010101010101ULL;
	EXPECT_TRUE(race_content_ok(&self->race, 1, 3, self->content, "read(2)"));
	EXPECT_STREQ("", self->result.harm);
	/* It is not the other file's. */
	self->content[5] = self->content[4];
	EXPECT_FALSE(race_content_ok(&self->race, 0, 3, self->content, "read(2)"));
}

TEST_F(race, names_dma_for_another_file)
{
	self->content[5] = race_source_word(race_source_index(1, 3, 5));
	/* Somebody may be about to write: what has been written is more than a word. */
	ASSERT_TRUE(race_content_ok(&self->race, 0, 7, self->content, "read(2)"));
	self->content[6] = self->content[5];
	ASSERT_FALSE(race_content_ok(&self->race, 0, 7, self->content, "read(2)"));
	EXPECT_NE(NULL, strstr(self->result.harm, "P5 broken: in page 7 of file 0, read(2) finds"));
	EXPECT_NE(NULL, strstr(self->result.harm, "what DMA brought for page 3 of file 1"));
	EXPECT_NE(NULL, strstr(self->result.harm, "was punch of 4 pages from page 2 on, by op1"));
	EXPECT_TRUE(race_over(&self->race));
}

TEST_F(race, names_a_store_to_another_file)
{
	self->content[510] = race_store_word(1, 3, 1, 77);
	self->content[511] = self->content[510];
	ASSERT_FALSE(race_content_ok(&self->race, 0, 7, self->content, "DMA"));
	EXPECT_NE(NULL, strstr(self->result.harm, "stored by fault1 to page 3 of file 1"));
}

/* Of a pair, only what is neither's is harm. */
TEST_F(race, lets_pairs_exchange)
{
	self->spec.class = race_class_find("exchange");
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

	REQUIRE(return, victim_crowd(victim, variant->fs));
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

int main(int argc, char **argv)
{
	return dax_break_main(argc, argv);
}
