/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Written: which pages of a file the kernel writes back, that is, flushes from the CPU's
 * caches to persistent memory. The tracepoint fs_dax:dax_writeback_one tells us
 * (dax_writeback_one(), fs/dax.c). We use a trace instance of our own, so as not to
 * disturb anybody else's tracing.
 */
#ifndef DAX_BREAK_WRITTEN_H
#define DAX_BREAK_WRITTEN_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Begins to record. -EOPNOTSUPP: there is no tracepoint; it takes CONFIG_FTRACE and an
 * event tracer, tracefs, and root.
 */
int written_begin(void);

/*
 * Sets @written[i] for each page i < @count of the file with inode number @ino that has
 * been written back since the last call, or since the begin. The others are left as they
 * are.
 */
int written_look(ino_t ino, bool *written, unsigned int count);

/*
 * Removes the instance, which lasts from test to test. The library calls it at the end of a
 * program; it can be called at any time.
 */
void written_end(void);

#endif
