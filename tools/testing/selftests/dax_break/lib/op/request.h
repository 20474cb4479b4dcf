/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A request of io_uring, which sleeps in a worker thread, run as if it were a system call.
 */
#ifndef DAX_BREAK_OP_REQUEST_H
#define DAX_BREAK_OP_REQUEST_H

#include <linux/io_uring.h>

/*
 * Makes the request @sqe and waits for its end. A SIGUSR1 meanwhile makes it cancel the
 * request, which sends the worker a signal (io_uring/io-wq.c: io_wq_worker_cancel()).
 * Returns the result of the request, negative errnos included; -EOPNOTSUPP: the kernel
 * does not have such requests.
 */
int op_request(const struct io_uring_sqe *sqe);

#endif
