/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests for long-term pins (FOLL_LONGTERM): the ways in which the kernel lets a
 * process have its memory pinned for as long as it likes. One table; a mechanism is
 * one file longterm_*.c.
 *
 *	longterm_open()		positive control, once a program: anonymous memory
 *	  |			is granted, pinned, and let go again
 *	longterm_ask()		the same request for other memory: granted or not
 *	longterm_check_undone()	what was pinned on the way to a refusal is not any more
 *	longterm_close()	drops what was granted
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
	 * The refusal of a range that begins with memory that can be pinned, which
	 * mechanisms report in their own way. Where nothing can be pinned, all say
	 * EOPNOTSUPP.
	 */
	int partial;
	/* Part of what is asked for is longterm->beside. */
	bool uses_beside;
	/* Opens what the request is made to. -EOPNOTSUPP: the kernel lacks it. */
	int (*open)(struct longterm *longterm);
	/* Makes the request: 0 if it was granted, otherwise the kernel's negative errno. */
	int (*ask)(struct longterm *longterm, void *addr);
	/* Drops what was granted, maybe only soon; after any outcome of open(). */
	void (*close)(struct longterm *longterm);
};

struct longterm {
	const struct longterm_request *request;	/* NULL: not open */
	size_t len;		/* of the memory asked for, bytes */
	int fd;			/* ring, socket or device */
	char *beside;		/* anonymous memory, @len bytes, that may be asked for too */
	void *priv;
	long accounted;		/* pinned memory that the process is charged for, kB */
	int answer;		/* to the last request */
};

/*
 * Opens the request called @name for memory of @len bytes, after having made sure
 * that for anonymous memory it is granted: a refusal of other memory is then due to
 * that memory. -EOPNOTSUPP: the kernel lacks it, or limits forbid it.
 */
int longterm_open(struct longterm *longterm, const char *name, size_t len);

/*
 * The kernel's answer for the memory at @addr: 0 (granted) or a negative errno. If
 * there is none, says so and kills the process.
 */
int longterm_ask(struct longterm *longterm, void *addr);

/* What was asked for, and the answer, in words; overwritten by the next call. */
const char *longterm_describe(const struct longterm *longterm);

/*
 * After a refusal: none of the @len bytes of anonymous memory at @addr (may be 0),
 * nor any that the request adds itself, is pinned any more, nor charged for. The
 * kernel may take its time (DEADLINE_MS). -EIO: it is, see why().
 */
int longterm_check_undone(const struct longterm *longterm, void *addr, size_t len);

void longterm_close(struct longterm *longterm);

/* A close() of nothing but longterm->fd. */
void longterm_close_fd(struct longterm *longterm);

/* The table: those of the mechanisms, each of which ends with a NULL name; then NULL. */
extern const struct longterm_request *const longterm_tables[];

extern const struct longterm_request longterm_uring_buffers[];
extern const struct longterm_request longterm_uring_regions[];
extern const struct longterm_request longterm_zcrx[];
extern const struct longterm_request longterm_xdp[];
extern const struct longterm_request longterm_ublk[];
extern const struct longterm_request longterm_gup_test[];

#endif
