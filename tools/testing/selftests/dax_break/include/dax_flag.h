/* SPDX-License-Identifier: GPL-2.0 */
/*
 * FS_XFLAG_DAX: on a filesystem mounted with dax=inode, whether a file is DAX. New
 * files have it from their directory.
 */
#ifndef DAX_BREAK_DAX_FLAG_H
#define DAX_BREAK_DAX_FLAG_H

#include <stdbool.h>

/*
 * Of an open file or directory; 0 or a negative errno. What is already in memory
 * as an inode changes when it is read in again, not before.
 */
int dax_flag_set(int fd, bool on);

#endif
