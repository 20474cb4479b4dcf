// SPDX-License-Identifier: GPL-2.0
/*
 * Direct I/O by pread(2) and pwrite(2), each in a thread that sleeps in the call.
 * The call drops the page before it returns (block/fops.c:
 * __blkdev_direct_IO_simple()).
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "holder/dio_way.h"
#include "why.h"

/* The queue is the number of threads. */
static int thread_open(void **queue, unsigned int depth)
{
	*queue = calloc(1, sizeof(unsigned int));
	return *queue ? 0 : why_set(ENOMEM, "no memory for threads");
}

static void *submit(void *arg)
{
	struct dio_request *req = arg;
	unsigned int *running = req->running;
	ssize_t n;

	if (req->write)
		n = pwrite(req->fd, req->addr, req->len, req->offset);
	else
		n = pread(req->fd, req->addr, req->len, req->offset);
	req->result = n < 0 ? -errno : n;
	sem_post(&req->ended);
	__atomic_sub_fetch(running, 1, __ATOMIC_RELEASE);
	return NULL;
}

static int thread_start(void *queue, struct dio_request *req)
{
	pthread_t thread;
	int err;

	req->running = queue;
	sem_init(&req->ended, 0, 0);
	__atomic_add_fetch(req->running, 1, __ATOMIC_RELAXED);
	err = pthread_create(&thread, NULL, submit, req);
	if (err) {
		__atomic_sub_fetch(req->running, 1, __ATOMIC_RELAXED);
		return why_set(err, "cannot create a thread: %s", strerror(err));
	}
	pthread_detach(thread);
	return 0;
}

static int thread_wait(void *queue, struct dio_request *req)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DEADLINE_MS / 1000;
	while (sem_timedwait(&req->ended, &until))
		if (errno != EINTR)
			return why_set(ETIMEDOUT,
				       "an O_DIRECT request was answered but has not returned");
	req->done = true;
	return 0;
}

/* The threads write to requests that the caller is about to free. */
static void thread_close(void *queue)
{
	unsigned int *running = queue;
	long deadline = deadline_in(DEADLINE_MS);

	while (__atomic_load_n(running, __ATOMIC_ACQUIRE)) {
		if (deadline_over(deadline)) {
			fprintf(stderr, "# left behind: threads in pread() or pwrite()\n");
			return;
		}
		deadline_pause();
	}
	free(queue);
}

const struct dio_way dio_thread = {
	.open = thread_open,
	.start = thread_start,
	.wait = thread_wait,
	.close = thread_close,
};
