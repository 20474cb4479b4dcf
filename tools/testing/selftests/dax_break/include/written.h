/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Written: which pages of a file the kernel writes back, that is, flushes out of the
 * CPU's caches to persistent memory. Told by the tracepoint fs_dax:dax_writeback_one
 * (dax_writeback_one(), fs/dax.c), in a trace instance of our own: nobody else's
 * tracing is disturbed.
 */
#ifndef DAX_BREAK_WRITTEN_H
#define DAX_BREAK_WRITTEN_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * From now on, count. -EOPNOTSUPP: no tracepoint (CONFIG_FTRACE and an event tracer,
 * tracefs, root).
 */
int written_begin(void);

/*
 * Since the last call, or the begin, for each page i < @count of the file with inode
 * number @ino: sets @written[i] if it was written back, and leaves it if not.
 */
int written_look(ino_t ino, bool *written, unsigned int count);

/* Removes the instance. Safe to call at any time. */
void written_end(void);

#endif
