// SPDX-License-Identifier: GPL-2.0
/*
 * vmsplice(2): the page sits in a pipe until somebody reads it. FOLL_GET, needs
 * no privilege (fs/splice.c: iter_to_pipe()). A child forked later inherits the
 * pipe and keeps the reference alive: fork first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "holder.h"
#include "why.h"

struct slot {
	int pipe[2];
};

static int vmsplice_open(struct holder *holder)
{
	holder->priv = calloc(HOLDER_SLOTS, sizeof(struct slot));
	return holder->priv ? 0 : why_set(ENOMEM, "no memory for pipes");
}

/* tee(2) gives a look at what is in the pipe without consuming it. */
static int vmsplice_look(struct holder *holder, unsigned int nr, unsigned char *byte)
{
	struct slot *slot = (struct slot *)holder->priv + nr;
	int look[2], rc = 0;

	if (pipe2(look, O_CLOEXEC))
		return why_set(errno, "cannot make a pipe: %s", strerror(errno));
	if (tee(slot->pipe[0], look[1], 1, SPLICE_F_NONBLOCK) != 1 || read(look[0], byte, 1) != 1)
		rc = why_set(EIO, "nothing in the pipe: %s", strerror(errno));
	close(look[0]);
	close(look[1]);
	return rc;
}

static int vmsplice_hold(struct holder *holder, unsigned int nr, void *addr, size_t len)
{
	struct slot *slot = (struct slot *)holder->priv + nr;
	struct iovec iov = { .iov_base = addr, .iov_len = len };

	if (pipe2(slot->pipe, O_CLOEXEC))
		return why_set(errno, "cannot make a pipe: %s", strerror(errno));
	if (vmsplice(slot->pipe[1], &iov, 1, 0) == (ssize_t)len)
		return 0;
	why_set(errno, "cannot vmsplice a page: %s", strerror(errno));
	close(slot->pipe[0]);
	close(slot->pipe[1]);
	return -EIO;
}

/* Closing the pipe drops its pages: free_pipe_info(). */
static int vmsplice_release(struct holder *holder, unsigned int nr)
{
	struct slot *slot = (struct slot *)holder->priv + nr;

	close(slot->pipe[0]);
	close(slot->pipe[1]);
	return 0;
}

static void vmsplice_close(struct holder *holder)
{
	free(holder->priv);
}

const struct holder_ops holder_vmsplice = {
	.name = "vmsplice",
	.what = "vmsplice",
	.open = vmsplice_open,
	.hold = vmsplice_hold,
	.look = vmsplice_look,
	.release = vmsplice_release,
	.close = vmsplice_close,
};
