// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <liburing.h>
#include <signal.h>
#include <stdbool.h>

#include "op/request.h"

static int submit(struct io_uring *ring, struct io_uring_sqe *sqe, __u64 tag)
{
	io_uring_sqe_set_data64(sqe, tag);
	return io_uring_submit(ring);
}

/*
 * The worker may sleep before this process does: the signal is blocked except during the
 * wait, so that one that comes earlier ends the wait.
 */
int op_request(const struct io_uring_sqe *wanted)
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
	*sqe = *wanted;
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
