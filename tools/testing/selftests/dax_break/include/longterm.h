/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests for long-term pins (FOLL_LONGTERM, include/linux/mm_types.h): the ways in which
 * a process can have the kernel pin its memory for as long as it likes. Each way is a row
 * of a table; a file of lib/longterm/ has those of one mechanism.
 *
 *	longterm_open()		positive control, once a program: anonymous memory
 *	  |			is granted, pinned, and let go again
 *	longterm_ask()		makes the same request for other memory
 *	longterm_check_undone()	nothing that was pinned before the refusal still is
 *	longterm_close()	drops what was granted
 *
 * Sizes are in bytes. longterm_ask() leaves no reason in why().
 */
#ifndef DAX_BREAK_LONGTERM_H
#define DAX_BREAK_LONGTERM_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

struct longterm;

struct longterm_request {
	const char *name;
	const char *what;	/* "<what> was granted" */
	const char *needs;	/* where the kernel has it */
	/*
	 * The error for a range that begins with memory that can be pinned: it differs
	 * from mechanism to mechanism. If nothing can be pinned, it is -EOPNOTSUPP.
	 */
	int partial;
	/* longterm->beside is a part of what is asked for. */
	bool uses_beside;
	/* Opens what the request is made to. -EOPNOTSUPP: the kernel lacks it. */
	int (*open)(struct longterm *longterm);
	/* Makes the request: 0 if it was granted, otherwise the kernel's negative errno. */
	int (*ask)(struct longterm *longterm, void *addr);
	/*
	 * Undoes what open() has done, whatever it returned; longterm->fd is closed by
	 * then. The kernel may let go of memory a little later. NULL: nothing is left.
	 */
	void (*close)(struct longterm *longterm);
};

struct longterm {
	const struct longterm_request *request;	/* NULL: not open */
	size_t len;		/* of the memory asked for */
	int fd;			/* ring, socket or device; -1: none */
	char *beside;		/* anonymous memory, @len bytes, that may be asked for too */
	void *priv;		/* the request's own */
	long charge;		/* pinned memory that the process is charged for, kB */
	int answer;		/* to the last request */
};

/* The row after @request in the table, NULL at its end; the first one for NULL. */
const struct longterm_request *longterm_next(const struct longterm_request *request);

/*
 * Opens @request for memory of @len bytes, after having made sure that it is granted for
 * anonymous memory: if it is refused for other memory, that is due to the memory.
 * -EOPNOTSUPP: the kernel lacks it, or limits forbid it.
 */
int longterm_open(struct longterm *longterm, const struct longterm_request *request, size_t len);

/*
 * Makes the request for the memory at @addr and returns the kernel's answer: 0 (granted)
 * or a negative errno. If the kernel does not answer, reports that and kills the process.
 */
int longterm_ask(struct longterm *longterm, void *addr);

/* What was asked for, and the answer, in words; overwritten by the next call. */
const char *longterm_describe(const struct longterm *longterm);

/*
 * After a refusal: of the @len bytes of anonymous memory at @addr (may be 0), and of
 * longterm->beside, nothing is pinned or charged for any more. The kernel may take up to
 * DEADLINE_MS; if something still is, returns -EIO.
 */
int longterm_check_undone(const struct longterm *longterm, void *addr, size_t len);

void longterm_close(struct longterm *longterm);

#endif
