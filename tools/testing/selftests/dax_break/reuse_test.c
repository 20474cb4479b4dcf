// SPDX-License-Identifier: GPL-2.0
/*
 * P5, loses nothing: late DMA never lands in a block that another file has got meanwhile.
 *
 * Each case runs an operation that frees blocks on pages 2..5 of a file of eight, while
 * page 3 is pinned by a device that is about to write to it. The filesystem is so full that
 * the next file has to take the blocks that become free:
 *
 *	file	0	1	2	3	4	5	6	7
 *	DMA				X
 *	punch			|===============|
 *	victim			its own data
 *
 * What must be seen: the operation is asleep in the layout break until the device is
 * done. Only then do the blocks go to the victim, whose data stays as it was written. If
 * the operation returns earlier, the test lets the victim have the blocks, lets the device
 * write, and looks at the victim: that shows the damage which waiting prevents.
 *
 * The recipe is as old as the problem. The review of "dax: fix dma vs truncate/hole-punch"
 * (2017) asked for direct I/O into a mapped DAX file, a truncate, and a special setup in
 * which there is little choice but to reallocate the blocks.
 */
#include "dax_break.h"
#include "victim.h"

#define DMA_PAGE	3

static int setup(struct trial *trial, struct victim *victim, const struct fs_op *on)
{
	const struct trial_spec spec = {
		.on = *on,
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

static void require(struct __test_metadata *_metadata, struct trial *trial,
		    struct victim *victim, const struct fs_op *on)
{
	REQUIRE(return, setup(trial, victim, on));
}

/* A trial in a crowded filesystem. */
#define REUSE_FIXTURE(type) \
	FIXTURE(type) { \
		struct trial trial; \
		struct victim victim; \
	}; \
	FIXTURE_VARIANT_ON(type); \
	FIXTURE_SETUP(type) \
	{ \
		require(_metadata, &self->trial, &self->victim, &variant->on); \
	} \
	FIXTURE_TEARDOWN(type) \
	{ \
		trial_teardown(_metadata, &self->trial); \
		victim_end(&self->victim); \
	} \
	struct trial

/* The operation has not waited: what is damaged? @physical is where DMA_PAGE's block was. */
static void show_harm(struct __test_metadata *_metadata, struct trial *trial,
		      struct victim *victim, __u64 physical)
{
	char before[512];
	long page;

	snprintf(before, sizeof(before), "%s", trial_describe(trial));
	REQUIRE(return, victim_take(victim));
	page = victim_page_at(victim, physical);
	REQUIRE(return, trial_release(trial, DMA_PAGE));
	ASSERT_KEPT(P5_LOSES_NOTHING, victim_check(victim), "%s; after the late DMA", before);
	ASSERT_TRUE(false) {
		BROKEN(P1_WAITS, "%s; by now its block is %s", before,
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
	ASSERT_BLOCKED(trial);
	REQUIRE(return, trial_release(trial, DMA_PAGE));
	ASSERT_COMPLETES(trial);
	REQUIRE(return, victim_take(victim));
	ASSERT_KEPT(P5_LOSES_NOTHING, victim_check(victim), "after %s", trial->op->name);
}

REUSE_FIXTURE(reuse);

TEST_F(reuse, unmapped)
{
	write_late(_metadata, &self->trial, &self->victim, false);
}

/* For operations that do not evict the file: those need it unmapped. */
REUSE_FIXTURE(reuse_mapped);

TEST_F(reuse_mapped, mapped)
{
	write_late(_metadata, &self->trial, &self->victim, true);
}

static void add_variants(void)
{
	VARIANTS_OF_OPS(reuse, FS_PMEM, OP_FREES, 0);
	VARIANTS_OF_OPS(reuse_mapped, FS_PMEM, OP_FREES, OP_EVICTS);
}

DAX_BREAK_MAIN(.variants = add_variants)
