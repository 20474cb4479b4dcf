/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of a race share, all of them in the process that race.c forks.
 */
#ifndef DAX_BREAK_RACE_INTERNAL_H
#define DAX_BREAK_RACE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <linux/types.h>
#include <unistd.h>

#include "dax_file.h"
#include "gate.h"
#include "op.h"
#include "race.h"
#include "victim.h"
#include "why.h"

#define RACE_FILES	2
#define RACE_MAPS	2	/* of each file: one for PMDs, one for PTEs */
#define RACE_PAGES	512U	/* of the larger file, at most */
#define RACE_THREADS	16
#define RACE_SOURCES	4
#define RACE_EVENTS	64	/* that a thread remembers */
/* The files' first content is tagged by it and the file's number: no inode's number. */
#define RACE_TAG	0x7ace00ULL

struct race_file {
	struct dax_file file;	/* its descriptor keeps its number, whatever it leads to */
	char *maps[RACE_MAPS];
	size_t len;		/* bytes of each */
	atomic_int pins;	/* DMA under way, or about to be */
	atomic_bool wanted;	/* an operation is about to begin, or waits */
};

/* Where DMA comes from; some can be written to as well. */
struct race_source {
	enum race_kind kind;
	const char *name;
	int fd;
	struct gate *gate;	/* NULL: answers by itself */
	unsigned int pages;
	bool tagged;		/* with race_source_word() */
	off_t sink;		/* from here on it can be written to; 0: nowhere */
};

/* What a thread did. */
struct race_event {
	__u64 ns;		/* CLOCK_MONOTONIC, when it began */
	__u64 end_ns;		/* 0: it is under way */
	const char *what;
	unsigned int file, page, count;
	long result;
};

struct race;

struct race_thread {
	struct race *race;
	pthread_t thread;
	char name[16];
	pid_t tid;
	__u64 random;		/* state of its random numbers */
	const struct race_source *source;	/* of DMA */
	unsigned int number;	/* among its kind */
	atomic_ulong begun, ended;	/* how much of DMA, or how many operations */
	atomic_ulong events;
	struct race_event log[RACE_EVENTS];
};

struct race {
	const struct race_spec *spec;
	struct race_result *result;	/* shared with the process that wants it */
	struct race_file files[RACE_FILES];
	struct race_source sources[RACE_SOURCES];
	unsigned int nr_sources;
	bool all_tagged;
	struct victim victim;
	const struct op *ops[64];
	unsigned int nr_ops;
	struct race_thread threads[RACE_THREADS];
	unsigned int nr_threads;
	atomic_bool stop;
	atomic_bool no_dma, no_faults;	/* for now */
	atomic_bool harmed;		/* result->harm has been written */
	pthread_mutex_t harm_lock;
	struct timespec began;
};

/* The life of threads, each by the number of the @thread; they end on race->stop. */
void *race_dma_run(void *thread);
void *race_fault_run(void *thread);
void *race_sync_run(void *thread);
void *race_op_run(void *thread);
void *race_victim_run(void *thread);

/* race.c */

/* The first harm that is told is the result, and ends the race. */
void __printf(2, 3) race_harm(struct race *race, const char *fmt, ...);
bool race_over(const struct race *race);
/* The pace of loops that wait: often enough, and the CPU is for the others. */
static inline void race_poll(void)
{
	usleep(1000);
}

/* Sleeps for up to @us microseconds. */
void race_pause(struct race_thread *thread, unsigned int us);
/* A number below @below. */
unsigned int race_random(struct race_thread *thread, unsigned int below);
/* Maps pages of @file where they belong; of all maps or of one. 0 or a negative errno. */
int race_map(struct race *race, unsigned int file, unsigned int map, unsigned int page,
	     unsigned int count);
/* All of the @race's files, for call_bounded(): by who may have to wait for that. */
ssize_t race_map_all(void *race);
ssize_t race_unmap_all(void *race);

/* race_help.c */

/* Looks at operations that are late: one that nobody wakes has its pages unmapped. */
void race_help_operations(struct race *race);
/* Where @thread sleeps, in one line; "" if the kernel does not say. */
void race_stack(const struct race_thread *thread, char *text, size_t size);

/* race_dma.c */

/* Opens what there is. It may fork, so no DAX file is mapped yet. */
int race_sources_open(struct race *race);
void race_sources_close(struct race *race);
/* How much has begun in each thread, to see later whether all of that has ended. */
void race_dma_snapshot(const struct race *race, unsigned long *before);
/* The thread of one that has not; NULL: all have. */
const struct race_thread *race_dma_left(const struct race *race, const unsigned long *before);

/* race_ops.c */

/* Those of the class that the kernel has. */
int race_ops_choose(struct race *race);
/* Gives a file of the race its first, or a new, content. */
int race_file_create(const struct race *race, unsigned int number, struct dax_file *file);

/* race_victim.c */

/* What a page of file @number holds, read by whomever: is it all the file's own? */
bool race_content_ok(struct race *race, unsigned int number, unsigned int page,
		     const void *content, const char *reader);
/* Looks at all files, at the end. */
void race_files_check(struct race *race);

/* race_log.c */

/* What every word of a page is filled with by a source, and by a store. */
__u64 race_source_word(unsigned int index);
__u64 race_store_word(unsigned int file, unsigned int page, unsigned int thread,
		      unsigned int generation);
/* Of the page of a source for page @page of @file, one of several to choose from. */
unsigned int race_source_index(unsigned int file, unsigned int page, unsigned int turn);

/* Whose file @word was meant for; -1: nobody's of this race; -2: it may be anybody's. */
int race_word_file(const struct race *race, __u64 word);
/* In words: whose it is, and what was last done to that page. Overwritten by the next. */
const char *race_word_describe(const struct race *race, __u64 word);

struct race_event *race_begin(struct race_thread *thread, const char *what, unsigned int file,
			      unsigned int page, unsigned int count);
void race_end(struct race_event *event, long result);
/* Since it began. */
double race_event_age_ms(const struct race_event *event);
/* The last of all threads, oldest first, as lines of diagnosis. */
void race_log_print(const struct race *race);

#endif
