// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "base/rows.h"
#include "op.h"
#include "op/request.h"

/* Newer than some kernel headers. */
#ifndef FALLOC_FL_WRITE_ZEROES
#define FALLOC_FL_WRITE_ZEROES	0x80
#endif
/* Linux 6.9, and newer than some headers. */
#define OP_FTRUNCATE	55

static int truncate_run(const struct op *op, const struct op_target *t)
{
	return ftruncate(t->fd, t->start) ? -errno : 0;
}

static int truncate_path_run(const struct op *op, const struct op_target *t)
{
	return truncate(t->path, t->start) ? -errno : 0;
}

static int truncate_zero_run(const struct op *op, const struct op_target *t)
{
	return ftruncate(t->fd, 0) ? -errno : 0;
}

static int open_trunc_run(const struct op *op, const struct op_target *t)
{
	int fd = open(t->path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	return fd < 0 ? -errno : -close(fd);
}

static int truncate_up_run(const struct op *op, const struct op_target *t)
{
	off_t end = lseek(t->fd, 0, SEEK_END);

	return ftruncate(t->fd, end + t->len) ? -errno : 0;
}

static int fallocate_run(const struct op *op, const struct op_target *t)
{
	return fallocate(t->fd, op->mode, t->start, t->len) ? -errno : 0;
}

/* Through a mapping of its own, in which it touches nothing. */
static int madv_remove_run(const struct op *op, const struct op_target *t)
{
	void *map = mmap(NULL, t->len, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, t->start);
	int rc;

	if (map == MAP_FAILED)
		return -errno;
	rc = madvise(map, t->len, MADV_REMOVE) ? -errno : 0;
	munmap(map, t->len);
	return rc;
}

static int uring_truncate_run(const struct op *op, const struct op_target *t)
{
	const struct io_uring_sqe sqe = { .opcode = OP_FTRUNCATE, .fd = t->fd, .off = t->start };

	return op_request(&sqe);
}

static int uring_fallocate_run(const struct op *op, const struct op_target *t)
{
	const struct io_uring_sqe sqe = {
		.opcode = IORING_OP_FALLOCATE,
		.fd = t->fd,
		.off = t->start,
		.addr = t->len,
		.len = op->mode,
	};

	return op_request(&sqe);
}

/* What the operations do to files. */
static void cuts(struct image *file, off_t start, struct image *peer, off_t at, off_t len)
{
	image_cut(file, start);
}

static void empties(struct image *file, off_t start, struct image *peer, off_t at, off_t len)
{
	image_cut(file, 0);
}

static void grows(struct image *file, off_t start, struct image *peer, off_t at, off_t len)
{
	image_zero(file, file->size, len, IMAGE_ANY);
}

static void punches(struct image *file, off_t start, struct image *peer, off_t at, off_t len)
{
	image_zero(file, start, len, IMAGE_HOLE);
}

static void zeroes(struct image *file, off_t start, struct image *peer, off_t at, off_t len)
{
	image_zero(file, start, len, IMAGE_ANY);
}

static void removes(struct image *file, off_t start, struct image *peer, off_t at, off_t len)
{
	image_remove(file, start, len);
}

static void inserts(struct image *file, off_t start, struct image *peer, off_t at, off_t len)
{
	image_insert(file, start, len);
}

static void allocates(struct image *file, off_t start, struct image *peer, off_t at, off_t len)
{
	image_allocate(file, start, len);
}

ROW(ops, struct op, truncate) = {
	.name = "truncate",
	.reach = OP_TAIL,
	.flags = OP_BYTES | OP_FREES | OP_MEETS_SHARED,
	.run = truncate_run,
	.result = cuts,
};

ROW(ops, struct op, truncate_path) = {
	.name = "truncate_path",
	.reach = OP_TAIL,
	.flags = OP_BYTES | OP_FREES | OP_BY_PATH,
	.run = truncate_path_run,
	.result = cuts,
};

ROW(ops, struct op, truncate_zero) = {
	.name = "truncate_zero",
	.reach = OP_WHOLE,
	.flags = OP_FREES,
	.run = truncate_zero_run,
	.result = empties,
};

ROW(ops, struct op, truncate_up) = {
	.name = "truncate_up",
	.reach = OP_WHOLE,
	.flags = OP_SPARES,
	.run = truncate_up_run,
	.result = grows,
};

ROW(ops, struct op, open_trunc) = {
	.name = "open_trunc",
	.reach = OP_WHOLE,
	.flags = OP_FREES | OP_BY_PATH,
	.run = open_trunc_run,
	.result = empties,
};

ROW(ops, struct op, punch) = {
	.name = "punch",
	.flags = OP_BYTES | OP_FREES | OP_SAMPLE | OP_MEETS_SHARED,
	.run = fallocate_run,
	.mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	.result = punches,
};

ROW(ops, struct op, zero) = {
	.name = "zero",
	.flags = OP_BYTES,
	.run = fallocate_run,
	.mode = FALLOC_FL_ZERO_RANGE,
	.result = zeroes,
};

ROW(ops, struct op, write_zeroes) = {
	.name = "write_zeroes",
	.flags = OP_BYTES,
	.run = fallocate_run,
	.mode = FALLOC_FL_WRITE_ZEROES,
	.result = zeroes,
};

ROW(ops, struct op, collapse) = {
	.name = "collapse",
	.reach = OP_TAIL,
	.flags = OP_WHOLE_PAGES | OP_FREES,
	.run = fallocate_run,
	.mode = FALLOC_FL_COLLAPSE_RANGE,
	.result = removes,
};

ROW(ops, struct op, insert) = {
	.name = "insert",
	.reach = OP_TAIL,
	.flags = OP_WHOLE_PAGES,
	.run = fallocate_run,
	.mode = FALLOC_FL_INSERT_RANGE,
	.result = inserts,
};

ROW(ops, struct op, allocate) = {
	.name = "allocate",
	.flags = OP_SPARES,
	.run = fallocate_run,
	.result = allocates,
};

ROW(ops, struct op, unshare) = {
	.name = "unshare",
	.needs = FS_REFLINK,
	.flags = OP_MEETS_SHARED,
	.run = fallocate_run,
	.mode = FALLOC_FL_UNSHARE_RANGE,
	.result = allocates,
};

ROW(ops, struct op, madv_remove) = {
	.name = "madv_remove",
	.flags = OP_FREES,
	.run = madv_remove_run,
	.result = punches,
};

ROW(ops, struct op, uring_truncate) = {
	.name = "uring_truncate",
	.reach = OP_TAIL,
	.flags = OP_URING,
	.run = uring_truncate_run,
	.result = cuts,
};

ROW(ops, struct op, uring_punch) = {
	.name = "uring_punch",
	.flags = OP_URING,
	.run = uring_fallocate_run,
	.mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	.result = punches,
};
