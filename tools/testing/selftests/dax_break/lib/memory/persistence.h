/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What libpmem2 knows about the memory below a file.
 */
#ifndef DAX_BREAK_PERSISTENCE_H
#define DAX_BREAK_PERSISTENCE_H

/*
 * *@granularity: how stores to the file @fd reach persistence, in words, or that this
 * cannot be told. libpmem2 maps with MAP_SYNC where it can, so the file must be DAX.
 * -EOPNOTSUPP: there are known bad blocks below it, a load from which kills.
 */
int persistence_of(int fd, const char **granularity);

#endif
