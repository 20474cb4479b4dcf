/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ground that all parts of a race stand on: the state that its threads share, their
 * random numbers, the log of what they did, the findings, and the words that pages are
 * filled with. The state belongs to the process that race.c forks; only the result is in
 * memory that it shares with the process that wants it.
 */
#ifndef DAX_BREAK_RACE_GROUND_H
#define DAX_BREAK_RACE_GROUND_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>
#include <unistd.h>
#include <linux/types.h>

#include "dax_file.h"
#include "gate/gate.h"
#include "op.h"
#include "race.h"
#include "victim.h"

#define RACE_FILES	2
#define RACE_MAPS	2	/* of each file: one for PMDs, one for PTEs */
#define RACE_PAGES	512U	/* of the larger file, at most */
#define RACE_DMA_PAGES	4U	/* of one request of DMA, at most */
#define RACE_THREADS	16
#define RACE_SOURCES	4
#define RACE_EVENTS	64	/* that a thread remembers */

enum race_role {
	RACE_DMA,
	RACE_FAULT,
	RACE_SYNC,
	RACE_VICTIM,
	RACE_OP,
	RACE_ROLES
};

/* What DMA reads from. O_DIRECT I/O on it pins the pages of its buffer until it ends. */
struct race_source {
	enum race_kind kind;
	const char *name;
	int fd;
	struct gate *gate;	/* that holds the requests; NULL: none does */
	unsigned int pages;
	off_t sink;		/* from this byte on it can be written to; 0: nowhere */
};

/* Something that a thread did: a request of DMA, an operation, an access. */
struct race_event {
	__u64 ns;		/* when it began, by race_now_ns(); 0: never */
	__u64 end_ns;		/* 0: it is under way */
	const char *what, *who;	/* the operation, say, and the thread's name */
	unsigned int file, page, count;
	long result;
};

struct race_thread {
	struct race *race;
	pthread_t thread;
	enum race_role role;
	unsigned int number;	/* among the threads of its role */
	char name[16];		/* role and number, for diagnoses */
	pid_t tid;
	__u64 random;		/* state of its random numbers */
	const struct race_source *source;	/* of a thread that does DMA */
	atomic_ulong begun, ended;		/* events: one at most is under way */
	struct race_event log[RACE_EVENTS];	/* the last of them, as a ring */
};

struct race_file {
	struct dax_file file;	/* its descriptor keeps its number when the file is replaced */
	char *maps[RACE_MAPS];
	atomic_int pins;	/* requests of DMA that are under way, or about to be */
	atomic_bool wanted;	/* an operation is about to begin, or waits */
};

struct race {
	const struct race_spec *spec;
	struct race_result *result;
	struct race_file files[RACE_FILES];
	int prot;			/* of their mappings, PROT_READ and maybe PROT_WRITE */
	struct race_source sources[RACE_SOURCES];
	unsigned int nr_sources;
	bool all_tagged;		/* every source holds race_source_word()s only */
	struct victim victim;
	const struct op *ops[64];	/* of the mix, those that the kernel has */
	unsigned int nr_ops;
	struct race_thread threads[RACE_THREADS];
	unsigned int nr_threads;
	atomic_bool stop;		/* the threads are to end */
	atomic_bool no_dma, no_faults;	/* nothing of the kind is to begin for now */
	pthread_mutex_t harm_lock;	/* for the harm and the complaint of the result */
	__u64 began_ns;			/* by race_now_ns() */
};

/* Adds to a counter of the result, as several threads do. */
static inline void race_count(unsigned long *counter, unsigned long by)
{
	__atomic_add_fetch(counter, by, __ATOMIC_RELAXED);
}

/*
 * Adds a thread of @role to race->threads[], but does not start it. Its random numbers
 * follow from the race's seed.
 */
struct race_thread *race_thread_add(struct race *race, enum race_role role);

/* A random number below @below. */
unsigned int race_random(struct race_thread *thread, unsigned int below);

/* Sleeps for a random time of less than @us microseconds. */
void race_pause(struct race_thread *thread, unsigned int us);

/* The pace of loops that wait: frequent, but it leaves the CPU to the other threads. */
static inline void race_poll(void)
{
	usleep(1000);
}

/* CLOCK_MONOTONIC in nanoseconds, and how many milliseconds ago @ns was. */
__u64 race_now_ns(void);
double race_ms_since(__u64 ns);

/*
 * Logs that @thread begins @what on @count pages of @file from @page on, and that this has
 * ended. There are no locks: other threads may read an event that is just being written.
 */
void race_begin(struct race_thread *thread, const char *what, unsigned int file,
		unsigned int page, unsigned int count);
void race_end(struct race_thread *thread, long result);

/* What @thread has begun last. */
static inline const struct race_event *race_last_event(const struct race_thread *thread)
{
	return &thread->log[(thread->begun - 1) % RACE_EVENTS];
}

/* Waits until @thread has ended as many events as @begun. False: not within @ms. */
bool race_wait_ended(const struct race_thread *thread, unsigned long begun, long ms);

/* The last operation that affected @page of @file; NULL: none is known. */
const struct race_event *race_last_operation(const struct race *race, unsigned int file,
					     unsigned int page);

/*
 * Ends the race because the kernel breaks @promise, or, if that is 0, for a reason that
 * says nothing about the kernel. The first call counts: it fills result->harm and prints
 * the last events of all threads, which show how it came about.
 */
void __printf(3, 4) race_harm(struct race *race, enum promise promise, const char *fmt, ...);

/* Looks for a complaint of the kernel; the spec says whether that ends the race. */
void race_listen(struct race *race);

/*
 * The words of 64 bits that fill pages. Each tells where it came from, so that one in the
 * wrong place can be named:
 *
 *	D15C.... ........	a page of a source: its index there
 *	570E.... ........	a store: file, page, thread, generation
 *	@@@@@@@@ AAAAAAAA ...	the gate: a byte for each slot, which stands for a file
 *	..TAG... DAxxxxxx	what a file began with (dax_file.h), by RACE_TAG + its number
 *	........ DAxxxxxx	the same with another tag: not a file of the race
 *
 * No inode has the number RACE_TAG.
 */
#define RACE_TAG	0x7ace00ULL

/* What fills page @index of a source. */
__u64 race_source_word(unsigned int index);

/* Which page of a source is for @page of @file; @turn chooses among several. */
unsigned int race_source_index(unsigned int file, unsigned int page, unsigned int turn);

/* What thread number @thread stores to @page of @file. */
__u64 race_store_word(unsigned int file, unsigned int page, unsigned int thread,
		      unsigned int generation);

/* The number of the file that @word was meant for, or one of these. */
int race_word_file(const struct race *race, __u64 word);
enum {
	RACE_NOBODY = -1,	/* no thread of the race wrote the word */
	RACE_ANYBODY = -2,	/* a disk of unknown content may have held it */
};

/*
 * Says where @word came from, and which operation last affected the page that it was meant
 * for. The text belongs to the calling thread and lasts until its next call.
 */
const char *race_word_describe(const struct race *race, __u64 word);

#endif
