// SPDX-License-Identifier: GPL-2.0
/*
 * P5, loses nothing: DMA never lands in a block that another file owns by then.
 *
 * Each case runs an operation that frees blocks on pages 2..5 of a file of eight, with
 * a device about to write to page 3, in a filesystem so crowded that the next file
 * cannot but take the blocks that become free:
 *
 *	file	0	1	2	3	4	5	6	7
 *	DMA				X
 *	punch			|===============|
 *	victim			its own data
 *
 * Seen must be: the operation asleep in the layout break until the device is done; then
 * the blocks go to the victim, whose data stays as it was written. If the operation
 * returns before, the victim gets the blocks at once, the device writes, and the victim
 * is looked at: that is the damage which waiting is for.
 *
 * The recipe is as old as the problem: the review of "dax: fix dma vs truncate/hole-punch"
 * (2017) asked for direct I/O into a mapped DAX file, a truncate, and a special setup in
 * which there is little choice but to reallocate the blocks.
 */
#include "dax_break.h"
#include "victim.h"

#define DMA_PAGE	3

FIXTURE(reuse) {
	struct trial trial;
	struct victim victim;
};

FIXTURE_VARIANT(reuse) {
	struct fs_op on;
};

static int setup(struct trial *trial, struct victim *victim, const struct fs_op *on)
{
	const struct trial_spec spec = {
		.fs = on->fs,
		.op = on->op,
		.holder = HOLDER_DEVICE,
		.pages = 8,
		.first = 2,
		.count = 4,
	};
	int rc = trial_setup(trial, &spec);

	if (rc)
		return rc;
	rc = victim_crowd(victim, on->fs);
	if (rc)
		trial_end(trial);
	return rc;
}

FIXTURE_SETUP(reuse)
{
	REQUIRE(return, setup(&self->trial, &self->victim, &variant->on));
}

FIXTURE_TEARDOWN(reuse)
{
	trial_teardown(_metadata, &self->trial);
	victim_end(&self->victim);
}

/* It has not waited: who suffers? */
static void show_harm(struct __test_metadata *_metadata, struct trial *trial,
		      struct victim *victim, __u64 physical)
{
	char before[512];
	long page;

	snprintf(before, sizeof(before), "%s", trial_describe(trial));
	REQUIRE(return, victim_take(victim));
	page = victim_page_at(victim, physical);
	REQUIRE(return, trial_release(trial, DMA_PAGE));
	ASSERT_EQ(0, victim_check(victim)) {
		TH_LOG("P5 broken: %s; then %s", before, why());
	}
	ASSERT_TRUE(false) {
		TH_LOG("P1 broken: %s; by now its block is %s", before,
		       page < 0 ? "still nobody's" : "another file's, but undamaged");
	}
}

static void write_late(struct __test_metadata *_metadata, struct trial *trial,
		       struct victim *victim, bool mapped)
{
	__u64 physical = dax_file_physical(&trial->file, DMA_PAGE);

	REQUIRE(return, trial_hold(trial, DMA_PAGE));
	if (!mapped)
		dax_file_unmap(&trial->file);
	trial_start(trial);
	if (waiter_observe(&trial->waiter) == WAITER_DONE && !waiter_result(&trial->waiter)) {
		show_harm(_metadata, trial, victim, physical);
		return;
	}
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, DMA_PAGE));
	ASSERT_COMPLETES(trial);
	REQUIRE(return, victim_take(victim));
	ASSERT_EQ(0, victim_check(victim)) {
		TH_LOG("P5 broken: after %s %s", trial->op->name, why());
	}
}

TEST_F(reuse, unmapped)
{
	write_late(_metadata, &self->trial, &self->victim, false);
}

/* For operations that leave the file open: evicting ones only ever see it unmapped. */
FIXTURE(reuse_mapped) {
	struct trial trial;
	struct victim victim;
};

FIXTURE_VARIANT(reuse_mapped) {
	struct fs_op on;
};

FIXTURE_SETUP(reuse_mapped)
{
	REQUIRE(return, setup(&self->trial, &self->victim, &variant->on));
}

FIXTURE_TEARDOWN(reuse_mapped)
{
	trial_teardown(_metadata, &self->trial);
	victim_end(&self->victim);
}

TEST_F(reuse_mapped, mapped)
{
	write_late(_metadata, &self->trial, &self->victim, true);
}

#include "aftermath_fixture.h"

int main(int argc, char **argv)
{
	VARIANTS_OF_OPS(reuse, OP_FREES, 0);
	VARIANTS_OF_OPS(reuse_mapped, OP_FREES, OP_EVICTS);
	return dax_break_main(argc, argv);
}
