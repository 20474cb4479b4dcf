/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parts of which race.c makes a race: its files, the sources of its DMA, its operations,
 * and what its threads do.
 */
#ifndef DAX_BREAK_RACE_PARTS_H
#define DAX_BREAK_RACE_PARTS_H

#include "race/ground.h"

/* files.c */

/* Creates file @number as *@file, also to replace the one that race->files[] has. */
int race_file_create(const struct race *race, unsigned int number, struct dax_file *file);

/* Maps @file for the first time. Its mappings keep their addresses for the whole race. */
int race_file_map(const struct race *race, struct race_file *file);

/* Maps pages of file @number again, in one of its mappings. */
int race_map(const struct race *race, unsigned int number, unsigned int map, unsigned int page,
	     unsigned int count);

/* Puts inaccessible memory there, or another mmap(2) would be given the addresses. */
int race_unmap(void *addr, size_t len);

/*
 * Map or unmap all of both files. The argument is a struct race, since these are called by
 * call_bounded(): mmap(2) may have to wait for a fault that never ends.
 */
ssize_t race_map_all(void *race);
ssize_t race_unmap_all(void *race);

/*
 * Does @content, which @reader has read from @page of file @number, belong there? If not,
 * calls race_harm().
 */
bool race_content_ok(struct race *race, unsigned int number, unsigned int page,
		     const void *content, const char *reader);

/* Reads and checks all pages of both files, when the race is over. */
void race_files_check(struct race *race);

/* sources.c */

/*
 * Opens every source that this machine has; result->missing[] says why it lacks the others.
 * -EOPNOTSUPP: there are none. The gate forks, so no DAX file may be mapped yet.
 */
int race_sources_open(struct race *race);
void race_sources_close(struct race *race);

/* A buffer of so many of the system's pages, aligned for direct I/O. To be freed. */
void *race_page_buffer(size_t pages);

/* ops.c: fills race->ops[] with those of the mix that the kernel has. -EOPNOTSUPP: it has none. */
int race_choose_ops(struct race *race);

/*
 * dma.c, fault.c, ops.c and victims.c: what the threads do until the race is over. DMA is
 * direct I/O between a source and mapped pages, which pins them (bio_iov_iter_get_pages()
 * in block/bio.c). The threads for faults and syncs access the mappings. The thread that
 * runs an operation then restores the size of the file; faults give it blocks again. The
 * victim (victim.h) becomes the owner of every block that operations free, and checks that
 * no late DMA and no late store reaches it.
 */
void race_dma_run(struct race_thread *thread);
void race_access_run(struct race_thread *thread);
void race_op_run(struct race_thread *thread);
void race_victim_run(struct race_thread *thread);

/*
 * dma.c: waits until all DMA that has begun has ended, for up to DEADLINE_MS. NULL, or a thread
 * whose request has not ended.
 */
const struct race_thread *race_dma_wait(const struct race *race);

/*
 * help.c: looks for an operation that does not return, finds out why, and helps it if that is
 * possible, so that one known bug does not end every race. To be called often, by one thread.
 */
void race_help_operations(struct race *race);

/* Where @thread sleeps, in one line. The text belongs to the caller until its next call. */
const char *race_stack(const struct race_thread *thread);

#endif
