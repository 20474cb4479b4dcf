/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Direct I/O: the holders whose page is the buffer of an O_DIRECT read or write of a
 * gate (gate/gate.h). They differ in the way in which the request is submitted, and in how the
 * gate's server has it.
 *
 * Each dio_*.c has one way and its holders.
 */
#ifndef DAX_BREAK_HOLDER_DIO_H
#define DAX_BREAK_HOLDER_DIO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "call.h"
#include "gate/gate.h"
#include "holder.h"

struct dio_request {
	int fd;
	bool write;
	off_t offset;
	void *addr;
	size_t len;

	bool running;		/* started, and not waited for */
	int result;		/* after that: bytes, or a negative errno */
	struct call call;	/* dio_thread.c's */
};

/* A way to submit requests, and to go on while the device takes its time. */
struct dio_way {
	/* Prepares for @depth requests at a time. -EOPNOTSUPP: the kernel lacks it. */
	int (*open)(void **queue, unsigned int depth);
	/* Starts @req, which has to stay where it is until wait() has succeeded. */
	int (*start)(void *queue, struct dio_request *req);
	/* Waits for the end of @req; -ETIMEDOUT after DEADLINE_MS. */
	int (*wait)(void *queue, struct dio_request *req);
	/* Frees the queue, in which nothing is running. */
	void (*close)(void *queue);
};

extern const struct dio_way dio_thread;
extern const struct dio_way dio_uring;

/* What struct holder_ops asks for; the holder's open() says which way and mode. */
int dio_open(struct holder *holder, const struct dio_way *way, enum gate_mode mode);
int dio_hold(struct holder *holder, unsigned int slot, void *addr, size_t len);
int dio_release(struct holder *holder, unsigned int slot);
void dio_close(struct holder *holder);

/* In a row, with an @_open() of its own. */
#define DIO_HOLDER(_open) \
	.open = _open, \
	.hold = dio_hold, \
	.release = dio_release, \
	.close = dio_close

/* A holder that has this reads from the device, one that has not writes to it. */
__u64 dio_fills(unsigned int slot);

#endif
