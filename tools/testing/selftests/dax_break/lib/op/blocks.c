// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "op/run.h"

/* Newer than some kernel headers. */
#ifndef FALLOC_FL_WRITE_ZEROES
#define FALLOC_FL_WRITE_ZEROES	0x80
#endif

int truncate_run(const struct op_target *t)
{
	return ftruncate(t->fd, t->start) ? -errno : 0;
}

int truncate_path_run(const struct op_target *t)
{
	return truncate(t->path, t->start) ? -errno : 0;
}

int truncate_zero_run(const struct op_target *t)
{
	return ftruncate(t->fd, 0) ? -errno : 0;
}

int open_trunc_run(const struct op_target *t)
{
	int fd = open(t->path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	return fd < 0 ? -errno : -close(fd);
}

int truncate_up_run(const struct op_target *t)
{
	off_t end = lseek(t->fd, 0, SEEK_END);

	return ftruncate(t->fd, end + t->len) ? -errno : 0;
}

static int run_fallocate(const struct op_target *t, int mode)
{
	return fallocate(t->fd, mode, t->start, t->len) ? -errno : 0;
}

int punch_run(const struct op_target *t)
{
	return run_fallocate(t, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

int zero_run(const struct op_target *t)
{
	return run_fallocate(t, FALLOC_FL_ZERO_RANGE);
}

int write_zeroes_run(const struct op_target *t)
{
	return run_fallocate(t, FALLOC_FL_WRITE_ZEROES);
}

int collapse_run(const struct op_target *t)
{
	return run_fallocate(t, FALLOC_FL_COLLAPSE_RANGE);
}

int insert_run(const struct op_target *t)
{
	return run_fallocate(t, FALLOC_FL_INSERT_RANGE);
}

int unshare_run(const struct op_target *t)
{
	return run_fallocate(t, FALLOC_FL_UNSHARE_RANGE);
}

int allocate_run(const struct op_target *t)
{
	return run_fallocate(t, 0);
}

/* Through a mapping of its own, in which it touches nothing. */
int madv_remove_run(const struct op_target *t)
{
	void *map = mmap(NULL, t->len, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd, t->start);
	int rc;

	if (map == MAP_FAILED)
		return -errno;
	rc = madvise(map, t->len, MADV_REMOVE) ? -errno : 0;
	munmap(map, t->len);
	return rc;
}
