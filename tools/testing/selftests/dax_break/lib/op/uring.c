// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <liburing.h>
#include <signal.h>
#include <stdbool.h>
#include <linux/falloc.h>

#include "op/run.h"

/*
 * Requests of io_uring, which sleep in a worker thread. A signal to us makes us cancel
 * ours, which sends the worker one (io_uring/io-wq.c: io_wq_worker_cancel()). Returns its
 * result.
 *
 * The worker may sleep before we do: the signal is blocked but for our wait, so that one
 * that comes earlier ends that.
 */
static int submit(struct io_uring *ring, struct io_uring_sqe *sqe, __u64 tag)
{
	io_uring_sqe_set_data64(sqe, tag);
	return io_uring_submit(ring);
}

static int request(void (*prepare)(struct io_uring_sqe *sqe, const struct op_target *t),
		   const struct op_target *t)
{
	enum { REQUEST = 1, CANCEL };
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	sigset_t blocked, before;
	bool over = false;
	int result = 0;
	int rc = io_uring_queue_init(4, &ring, 0);

	/* Not built in, or forbidden. */
	if (rc)
		return -EOPNOTSUPP;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	sqe = io_uring_get_sqe(&ring);
	prepare(sqe, t);
	submit(&ring, sqe, REQUEST);
	while (!over) {
		rc = io_uring_wait_cqes(&ring, &cqe, 1, NULL, &before);
		if (rc == -EINTR) {
			sqe = io_uring_get_sqe(&ring);
			io_uring_prep_cancel64(sqe, REQUEST, 0);
			submit(&ring, sqe, CANCEL);
			continue;
		}
		if (rc) {
			result = rc;
			break;
		}
		over = io_uring_cqe_get_data64(cqe) == REQUEST;
		result = cqe->res;
		io_uring_cqe_seen(&ring, cqe);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	io_uring_queue_exit(&ring);
	/* A request that this kernel does not know. */
	return result == -EINVAL ? -EOPNOTSUPP : result;
}

/* Newer than some headers, and than liburing: Linux 6.9. */
#define OP_FTRUNCATE	55

static void prepare_ftruncate(struct io_uring_sqe *sqe, const struct op_target *t)
{
	io_uring_prep_rw(OP_FTRUNCATE, sqe, t->fd, NULL, 0, t->start);
}

int uring_truncate_run(const struct op_target *t)
{
	return request(prepare_ftruncate, t);
}

static void prepare_punch(struct io_uring_sqe *sqe, const struct op_target *t)
{
	io_uring_prep_fallocate(sqe, t->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, t->start,
				t->len);
}

int uring_punch_run(const struct op_target *t)
{
	return request(prepare_punch, t);
}
