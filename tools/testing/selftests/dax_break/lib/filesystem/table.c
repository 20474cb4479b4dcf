// SPDX-License-Identifier: GPL-2.0
#include "base/rows.h"
#include "filesystem.h"

ROWS(filesystems, FILESYSTEMS_MAX);

const struct filesystem *filesystem_next(const struct filesystem *fs)
{
	return rows_next(&filesystems_rows, fs);
}

const struct filesystem *filesystem_find(const char *name)
{
	return rows_find(&filesystems_rows, name);
}

unsigned int filesystem_index(const struct filesystem *fs)
{
	unsigned int i = 0;

	while (filesystems_rows.row[i] != fs)
		i++;
	return i;
}

bool filesystem_has(const struct filesystem *fs, unsigned int features)
{
	return (fs->features & features) == features;
}
