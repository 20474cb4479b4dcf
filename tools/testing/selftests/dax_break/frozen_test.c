// SPDX-License-Identifier: GPL-2.0
/*
 * P6, frozen clones: once two ranges share blocks, or have exchanged them, what is
 * written to one never shows in the other.
 *
 * Each case runs an operation between pages 1 and 2 of two files of four, or between
 * two ranges of one file. Page 1 is pinned in one of the files, or in both:
 *
 *	file	0	1 X	2	3	X: pinned
 *		|	|===============|
 *	peer	0	1 X	2	3
 *
 * What must be seen: the operation is asleep in the layout break until the last pin has
 * gone. Then a program stores to page 1 of the file, through the mapping that it has had
 * all along, and a device writes to page 2 of the peer. The data of both is found where it
 * was written, and nowhere else.
 *
 * xfs_reflink_remap_prep(), fs/xfs/xfs_reflink.c, and xfs_ilock2_io_mmap(), fs/xfs/
 * xfs_inode.c, which waits for the inode with the lower number first.
 */
#include "dax_break.h"
#include "image.h"

#define PAGES	4U
#define FIRST	1U
#define COUNT	2U

FIXTURE(frozen) {
	struct trial trial;
	struct holder dma;	/* writes to a page once the operation is over */
};

enum pinned {
	PINNED_LOWER,		/* the file has the lower inode number of the two */
	PINNED_HIGHER,
	PINNED_BOTH,
};

FIXTURE_VARIANT(frozen) {
	struct fs_op on;
	enum pinned pinned;
};

FIXTURE_SETUP(frozen)
{
	const struct trial_spec spec = {
		.on = variant->on,
		.pages = PAGES,
		.first = FIRST,
		.count = COUNT,
		.higher = variant->pinned == PINNED_HIGHER,
	};

	/* First, because a holder has to be opened before anything is mapped. */
	REQUIRE(return, holder_open(&self->dma, HOLDER_DEVICE));
	REQUIRE(return, trial_setup(&self->trial, &spec));
	if (self->trial.peer.path[0])
		REQUIRE(return, dax_file_map(&self->trial.peer, "shared", DAX_PTE));
}

FIXTURE_TEARDOWN(frozen)
{
	holder_close(&self->dma);
	trial_teardown(_metadata, &self->trial);
}

static int write_by_dma(struct holder *dma, struct dax_file *file, unsigned int page)
{
	bool filled;
	__u64 word;
	int rc;

	dax_file_touch(file, page);
	rc = holder_hold(dma, page, dax_file_page(file, page), file->page_size) ?:
	     holder_release(dma, page, &filled, &word);
	if (!rc)
		dax_file_page_got(file, page, word);
	return rc;
}

/* Puts into the @image of @file what has been written to @page since the operation. */
static void changed(struct image *image, const struct dax_file *file, unsigned int page)
{
	image->pages[page].word = file->content[page];
	/* Nothing is promised about blocks being shared once one side has been written to. */
	for (size_t i = 0; i < file->pages; i++)
		image->pages[i].backing = IMAGE_ANY;
}

/* The operation waits for each pin, and completes after the last one. */
static void operate(struct __test_metadata *_metadata, struct trial *trial, bool both)
{
	REQUIRE(return, trial_hold(trial, FIRST));
	if (both)
		REQUIRE(return, trial_hold_peer(trial, FIRST));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	REQUIRE(return, trial_release(trial, FIRST));
	if (both) {
		ASSERT_BLOCKED_AGAIN(trial);
		REQUIRE(return, trial_release_peer(trial, FIRST));
	}
	ASSERT_COMPLETES(trial);
}

/* Writes to both ranges: apart from that, do file and peer stay as the operation left them? */
static void write_to_both(struct __test_metadata *_metadata, struct trial *trial,
			  struct holder *dma)
{
	bool within = trial->op->flags & OP_WITHIN;
	/* The other range, and its second page. */
	struct dax_file *other = within ? &trial->file : &trial->peer;
	unsigned int page = FIRST + 1 + (within ? COUNT : 0);
	struct image file, peer;
	int rc;

	REQUIRE(return, trial_expect(trial, &file, &peer));
	dax_file_store(&trial->file, FIRST);
	changed(&file, &trial->file, FIRST);
	REQUIRE(return, write_by_dma(dma, other, page));
	changed(within ? &file : &peer, other, page);
	rc = image_compare(&file, trial->file.fd, "the file");
	if (!rc && !within)
		rc = image_compare(&peer, trial->peer.fd, "the peer");
	ASSERT_KEPT(P6_FROZEN_CLONES, rc,
		    "after %s, a store to page %u and DMA to page %u of the %s",
		    trial->op->name, FIRST, page, within ? "file" : "peer");
	image_free(&file);
	image_free(&peer);
}

TEST_F(frozen, pinned)
{
	operate(_metadata, &self->trial, variant->pinned == PINNED_BOTH);
	write_to_both(_metadata, &self->trial, &self->dma);
}

static void add_variants(void)
{
	static const char *const names[] = {
		[PINNED_LOWER] = "lower",
		[PINNED_HIGHER] = "higher",
		[PINNED_BOTH] = "both",
	};

	for (struct cases c = cases_of_ops(0, OP_PEER, OP_EVICTS); cases_next(&c);)
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			const FIXTURE_VARIANT(frozen) data = { c.on, i };

			VARIANT_ADD_AS(frozen, data, "%s", names[i]);
		}
	for (struct cases c = cases_of_ops(0, OP_WITHIN, OP_EVICTS); cases_next(&c);) {
		const FIXTURE_VARIANT(frozen) data = { .on = c.on };

		VARIANT_ADD_AS(frozen, data, "itself");
	}
}

DAX_BREAK_MAIN(.variants = add_variants)
