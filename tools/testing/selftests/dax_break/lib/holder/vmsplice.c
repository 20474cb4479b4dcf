// SPDX-License-Identifier: GPL-2.0
/*
 * Pages in pipes, which hold them (FOLL_GET) until somebody reads the pipe. It takes no
 * privilege. A child that is forked later inherits the pipe and keeps the reference
 * alive, so fork first.
 *
 * vmsplice		vmsplice(2) takes the reference (fs/splice.c: iter_to_pipe()).
 * tee			tee(2) takes another reference for a second pipe (fs/splice.c:
 *			link_pipe(), by generic_pipe_buf_get()), and the first pipe is
 *			closed. get_user_pages() has never taken the one that is left.
 * vmsplice_exited	A child that calls vmsplice(2) has exited, so the page is held by
 *			no process that could be asked or killed. The child inherits all
 *			mappings for its short life.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rows.h"
#include "deadline.h"
#include "finding.h"
#include "holder.h"

struct slot {
	int pipe[2];
};

static int vmsplice_open(struct holder *holder)
{
	holder->priv = calloc(HOLDER_SLOTS, sizeof(struct slot));
	return holder->priv ? 0 : why_set(ENOMEM, "no memory for pipes");
}

/* tee(2) copies what is in the pipe, which stays there. */
static int vmsplice_look(struct holder *holder, unsigned int nr, unsigned char *byte)
{
	struct slot *slot = (struct slot *)holder->priv + nr;
	int look[2], rc = 0;

	if (pipe2(look, O_CLOEXEC))
		return why_set(errno, "cannot make a pipe: %m");
	if (tee(slot->pipe[0], look[1], 1, SPLICE_F_NONBLOCK) != 1 || read(look[0], byte, 1) != 1)
		rc = why_set(EIO, "nothing in the pipe: %m");
	close(look[0]);
	close(look[1]);
	return rc;
}

static void close_pipe(const int pipe[2])
{
	close(pipe[0]);
	close(pipe[1]);
}

static int vmsplice_page(int pipe, void *addr, size_t len)
{
	struct iovec iov = { .iov_base = addr, .iov_len = len };
	ssize_t n = vmsplice(pipe, &iov, 1, 0);

	if (n < 0)
		return why_set(errno, "cannot vmsplice a page: %m");
	return n == (ssize_t)len ? 0 : why_set(EIO, "vmsplice took only part of a page");
}

static int vmsplice_hold(struct holder *holder, unsigned int nr, void *addr, size_t len)
{
	struct slot *slot = (struct slot *)holder->priv + nr;
	int rc;

	if (pipe2(slot->pipe, O_CLOEXEC))
		return why_set(errno, "cannot make a pipe: %m");
	rc = vmsplice_page(slot->pipe[1], addr, len);
	if (rc)
		close_pipe(slot->pipe);
	return rc;
}

static int tee_hold(struct holder *holder, unsigned int nr, void *addr, size_t len)
{
	struct slot *slot = (struct slot *)holder->priv + nr;
	int first[2], rc = 0;

	rc = vmsplice_hold(holder, nr, addr, len);
	if (rc)
		return rc;
	memcpy(first, slot->pipe, sizeof(first));
	if (pipe2(slot->pipe, O_CLOEXEC)) {
		rc = why_set(errno, "cannot make a pipe: %m");
	} else if (tee(first[0], slot->pipe[1], len, SPLICE_F_NONBLOCK) != (ssize_t)len) {
		rc = why_set(EIO, "cannot tee a page: %m");
		close_pipe(slot->pipe);
	}
	close_pipe(first);
	return rc;
}

static int exited_hold(struct holder *holder, unsigned int nr, void *addr, size_t len)
{
	struct slot *slot = (struct slot *)holder->priv + nr;
	int rc = 0, status;
	pid_t pid;

	if (pipe2(slot->pipe, O_CLOEXEC))
		return why_set(errno, "cannot make a pipe: %m");
	pid = fork();
	if (!pid)
		_exit(-vmsplice_page(slot->pipe[1], addr, len));
	if (pid < 0) {
		rc = why_set(errno, "cannot fork: %m");
	} else if (!deadline_wait_child(pid, DEADLINE_MS, &status)) {
		kill(pid, SIGKILL);
		rc = why_set(ETIMEDOUT, "a child that vmsplices does not exit");
	} else if (status) {
		rc = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
		rc = why_set(rc, "a child cannot vmsplice a page: %s", strerror(rc));
	}
	if (rc)
		close_pipe(slot->pipe);
	return rc;
}

/*
 * Closing the pipe drops its pages (fs/pipe.c: free_pipe_info()), before the task returns to
 * user space.
 */
static int vmsplice_release(struct holder *holder, unsigned int nr)
{
	struct slot *slot = (struct slot *)holder->priv + nr;

	close_pipe(slot->pipe);
	return 0;
}

static void vmsplice_close(struct holder *holder)
{
	free(holder->priv);
}

ROW(holders, struct holder_ops, vmsplice) = {
	.name = "vmsplice",
	.what = "vmsplice",
	.flags = HOLDER_BATCH | HOLDER_PROMPT,
	.open = vmsplice_open,
	.hold = vmsplice_hold,
	.look = vmsplice_look,
	.release = vmsplice_release,
	.close = vmsplice_close,
};

ROW(holders, struct holder_ops, tee) = {
	.name = "tee",
	.what = "a copy by tee of a vmspliced pipe",
	.flags = HOLDER_BATCH | HOLDER_PROMPT,
	.open = vmsplice_open,
	.hold = tee_hold,
	.look = vmsplice_look,
	.release = vmsplice_release,
	.close = vmsplice_close,
};

ROW(holders, struct holder_ops, vmsplice_exited) = {
	.name = "vmsplice_exited",
	.what = "vmsplice by a process that has exited",
	.flags = HOLDER_PROMPT,
	.open = vmsplice_open,
	.hold = exited_hold,
	.look = vmsplice_look,
	.release = vmsplice_release,
	.close = vmsplice_close,
};
