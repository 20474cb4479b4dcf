// SPDX-License-Identifier: GPL-2.0
/*
 * P6, frozen clones: once two ranges share blocks, or have exchanged them, what is
 * written to one never shows in the other.
 *
 * Each case runs an operation between pages 1 and 2 of two files of four, or within one
 * file, with page 1 pinned in one of them or in both:
 *
 *	file	0	1 X	2	3	X: pinned
 *		|	|===============|
 *	peer	0	1 X	2	3
 *
 * Seen must be: asleep in the layout break until the last pin has gone. Then a store to
 * page 1 of the file, through the mapping that it had all the time, and DMA to page 2
 * of the peer: each is found where it was written, and nowhere else.
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
	struct holder dma;	/* into a page, once the operation is over */
};

enum pinned {
	PINNED_LOWER,		/* the file is the one with the lower inode number */
	PINNED_HIGHER,
	PINNED_BOTH,
};

FIXTURE_VARIANT(frozen) {
	const char *fs, *op;
	enum pinned pinned;
};

FIXTURE_SETUP(frozen)
{
	const struct trial_spec spec = {
		.fs = variant->fs,
		.op = variant->op,
		.holder = "vmsplice",
		.pages = PAGES,
		.first = FIRST,
		.count = COUNT,
		.higher = variant->pinned == PINNED_HIGHER,
	};

	/* First: it has to come before any mapping. */
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

/* What became of @page of one file, the other's being left as it was. */
static void changed(struct image *image, const struct dax_file *file, unsigned int page)
{
	image->pages[page].word = file->content[page];
	/* Whether a block is still shared when one side has been written to is not said. */
	for (size_t i = 0; i < file->pages; i++)
		image->pages[i].backing = IMAGE_ANY;
}

TEST_F(frozen, pinned)
{
	struct trial *trial = &self->trial;
	bool within = trial->op->flags & OP_WITHIN;
	/* The other range, and a page of it. */
	struct dax_file *other = within ? &trial->file : &trial->peer;
	unsigned int other_page = FIRST + 1 + (within ? COUNT : 0);
	struct image file, peer, *other_image = within ? &file : &peer;
	int rc;

	REQUIRE(return, trial_hold(trial, FIRST));
	if (variant->pinned == PINNED_BOTH)
		REQUIRE(return, trial_hold_peer(trial, FIRST));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, FIRST));
	if (variant->pinned == PINNED_BOTH) {
		ASSERT_BLOCKED(trial, waiter_observe_again);
		REQUIRE(return, trial_release_peer(trial, FIRST));
	}
	ASSERT_COMPLETES(trial);

	REQUIRE(return, trial_expect(trial, &file, &peer));
	dax_file_store(&trial->file, FIRST);
	changed(&file, &trial->file, FIRST);
	REQUIRE(return, write_by_dma(&self->dma, other, other_page));
	changed(other_image, other, other_page);
	rc = image_compare(&file, trial->file.fd, "the file");
	if (!rc && !within)
		rc = image_compare(&peer, trial->peer.fd, "the peer");
	ASSERT_EQ(0, rc) {
		TH_LOG("P6 broken: after %s, a store to page %u and DMA to page %u of the %s, %s",
		       trial->op->name, FIRST, other_page, within ? "file" : "peer", why());
	}
	image_free(&file);
	image_free(&peer);
}

#include "aftermath_fixture.h"

int main(int argc, char **argv)
{
	static const char *const names[] = {
		[PINNED_LOWER] = "lower",
		[PINNED_HIGHER] = "higher",
		[PINNED_BOTH] = "both",
	};

	for (const struct filesystem *fs = filesystems; fs->name; fs++)
		for (const struct op *op = ops; op->name; op++) {
			unsigned int end = op->flags & OP_WITHIN ? 1 : ARRAY_SIZE(names);

			if (!op_is_for(op, fs->name) || !(op->flags & (OP_PEER | OP_WITHIN)) ||
			    (op->flags & (OP_EVICTS | OP_RARE)))
				continue;
			for (unsigned int i = 0; i < end; i++) {
				const FIXTURE_VARIANT(frozen) data = { fs->name, op->name, i };

				VARIANT_ADD(frozen, data, "%s_%s_%s", fs->name, op->name,
					    op->flags & OP_WITHIN ? "itself" : names[i]);
			}
		}
	return dax_break_main(argc, argv);
}
