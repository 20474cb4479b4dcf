// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "op.h"
#include "op/run.h"

static void cuts(struct image *file, struct image *peer, off_t start, off_t len)
{
	image_cut(file, start);
}

static void empties(struct image *file, struct image *peer, off_t start, off_t len)
{
	image_cut(file, 0);
}

static void grows(struct image *file, struct image *peer, off_t start, off_t len)
{
	image_zero(file, file->size, len, IMAGE_ANY);
}

static void punches(struct image *file, struct image *peer, off_t start, off_t len)
{
	image_zero(file, start, len, IMAGE_HOLE);
}

static void zeroes(struct image *file, struct image *peer, off_t start, off_t len)
{
	image_zero(file, start, len, IMAGE_ANY);
}

static void removes(struct image *file, struct image *peer, off_t start, off_t len)
{
	image_remove(file, start, len);
}

static void inserts(struct image *file, struct image *peer, off_t start, off_t len)
{
	image_insert(file, start, len);
}

static void keeps(struct image *file, struct image *peer, off_t start, off_t len)
{
}

static void allocates(struct image *file, struct image *peer, off_t start, off_t len)
{
	image_allocate(file, start, len);
}

static void gives(struct image *file, struct image *peer, off_t start, off_t len)
{
	image_share(peer, start, file, start, len);
}

static void takes(struct image *file, struct image *peer, off_t start, off_t len)
{
	image_share(file, start, peer, start, len);
}

static void shares_if_equal(struct image *file, struct image *peer, off_t start, off_t len)
{
	if (image_equal(file, start, peer, start, len))
		gives(file, peer, start, len);
}

static void swaps(struct image *file, struct image *peer, off_t start, off_t len)
{
	image_swap(file, start, peer, start, len);
}

/* Within one file the other range is the one right behind. */
static void shares_within(struct image *file, struct image *peer, off_t start, off_t len)
{
	image_share(file, start + len, file, start, len);
}

static void shares_within_if_equal(struct image *file, struct image *peer, off_t start, off_t len)
{
	if (image_equal(file, start, file, start + len, len))
		shares_within(file, peer, start, len);
}

static void swaps_within(struct image *file, struct image *peer, off_t start, off_t len)
{
	image_swap(file, start, file, start + len, len);
}

const struct op ops[] = {
	{ "truncate", NULL, OP_TAIL, OP_BYTES | OP_FREES, truncate_run, cuts },
	{ "truncate_path", NULL, OP_TAIL, OP_BYTES | OP_FREES, truncate_path_run, cuts },
	{ "truncate_zero", NULL, OP_WHOLE, OP_FREES, truncate_zero_run, empties },
	{ "truncate_up", NULL, OP_WHOLE, OP_SPARES, truncate_up_run, grows },
	{ "open_trunc", NULL, OP_WHOLE, OP_FREES, open_trunc_run, empties },
	{ "punch", NULL, OP_RANGE, OP_BYTES | OP_FREES, punch_run, punches },
	{ "zero", NULL, OP_RANGE, OP_BYTES, zero_run, zeroes },
	{ "write_zeroes", NULL, OP_RANGE, OP_BYTES, write_zeroes_run, zeroes },
	{ "collapse", NULL, OP_TAIL, OP_WHOLE_PAGES | OP_FREES, collapse_run, removes },
	{ "insert", NULL, OP_TAIL, OP_WHOLE_PAGES, insert_run, inserts },
	{ "allocate", NULL, OP_RANGE, OP_SPARES, allocate_run, allocates },
	{ "unshare", "xfs", OP_RANGE, 0, unshare_run, allocates },
	{ "madv_remove", NULL, OP_RANGE, OP_FREES, madv_remove_run, punches },
	{ "clone_from", "xfs", OP_WHOLE, OP_PEER, clone_from_run, gives },
	{ "clone_to", "xfs", OP_WHOLE, OP_PEER | OP_FREES, clone_to_run, takes },
	{ "clone_range_from", "xfs", OP_RANGE, OP_PEER, clone_range_from_run, gives },
	{ "clone_range_to", "xfs", OP_RANGE, OP_PEER | OP_FREES, clone_range_to_run, takes },
	{ "dedupe_from", "xfs", OP_RANGE, OP_PEER | OP_EQUAL | OP_STATUS,
	  dedupe_from_run, shares_if_equal },
	{ "dedupe_to", "xfs", OP_RANGE, OP_PEER | OP_EQUAL | OP_STATUS,
	  dedupe_to_run, shares_if_equal },
	{ "copy_from", "xfs", OP_RANGE, OP_PEER | OP_FALLS_BACK, copy_from_run, gives },
	{ "copy_to", "xfs", OP_RANGE, OP_PEER | OP_FALLS_BACK | OP_FREES, copy_to_run, takes },
	{ "exchange", "xfs", OP_RANGE, OP_PEER, exchange_run, swaps },
	{ "clone_within", "xfs", OP_RANGE, OP_WITHIN, clone_within_run, shares_within },
	{ "dedupe_within", "xfs", OP_RANGE, OP_WITHIN | OP_EQUAL | OP_STATUS, dedupe_within_run,
	  shares_within_if_equal },
	{ "copy_within", "xfs", OP_RANGE, OP_WITHIN | OP_FALLS_BACK, copy_within_run,
	  shares_within },
	{ "exchange_within", "xfs", OP_RANGE, OP_WITHIN, exchange_within_run, swaps_within },
	{ "unlink", NULL, OP_WHOLE, OP_EVICTS | OP_FREES, unlink_run, NULL },
	{ "rename_over", NULL, OP_WHOLE, OP_PEER | OP_EVICTS | OP_FREES, rename_over_run, NULL },
	{ "umount", NULL, OP_WHOLE, OP_EVICTS | OP_UNMOUNTS, umount_run, keeps },
	{ "dax_off", NULL, OP_WHOLE, OP_EVICTS | OP_ENDS_DAX, dax_off_run, keeps },
	{ "swap_boot", "ext4", OP_WHOLE, OP_RARE, swap_boot_run, keeps },
	{ "swap_extents", "xfs", OP_WHOLE, OP_RARE | OP_PEER, swap_extents_run, swaps },
	{ "exchange_plain", "xfs", OP_RANGE, OP_RARE | OP_PEER | OP_PEER_PLAIN,
	  exchange_run, swaps },
	{ .name = NULL },
};

const struct op *op_find(const char *name)
{
	for (const struct op *op = ops; op->name; op++)
		if (!strcmp(op->name, name))
			return op;
	return NULL;
}

bool op_is_for(const struct op *op, const char *fs)
{
	return !op->fs || !strcmp(op->fs, fs);
}
