/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Direct I/O under way: ways to submit it and to go on while the device takes its
 * time. One table entry each; a way is one file dio_*.c.
 */
#ifndef DAX_BREAK_DIO_H
#define DAX_BREAK_DIO_H

#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct dio_request {
	int fd;
	bool write;
	off_t offset;
	void *addr;
	size_t len;

	bool done;
	int result;		/* once done: bytes, or a negative errno */
	/* Of dio_thread.c: */
	sem_t ended;
	unsigned int *running;
};

struct dio_way {
	/* Makes ready for @depth requests at a time. -EOPNOTSUPP: the kernel lacks it. */
	int (*open)(void **queue, unsigned int depth);
	/* Starts @req, which has to stay where it is until it is done or close(). */
	int (*start)(void *queue, struct dio_request *req);
	/* Waits until @req is done; -ETIMEDOUT after DEADLINE_MS. */
	int (*wait)(void *queue, struct dio_request *req);
	/* The device has ended all requests, waited for or not. */
	void (*close)(void *queue);
};

extern const struct dio_way dio_thread;
extern const struct dio_way dio_aio;
extern const struct dio_way dio_uring;

#endif
