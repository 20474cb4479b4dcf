// SPDX-License-Identifier: GPL-2.0
/*
 * send(2) with MSG_ZEROCOPY: the page is in the write queue of a TCP socket until it has
 * been sent and acknowledged (FOLL_GET, net/core/datagram.c:
 * zerocopy_fill_skb_from_iter()). It takes no privilege. A child that is forked later
 * inherits the sockets and keeps the reference alive, so fork first.
 *
 * On loopback the page would be sent at once, since the receiver gets a copy
 * (net/core/dev.c: skb_orphan_frags_rx()). So we first send other data, more than the
 * receiver has room for. While nobody reads that, the kernel cannot send the page,
 * whatever its timers find out about the receiver's room. Once everything has been read,
 * the kernel frees the page where the acknowledgment arrives, in a softirq, as when a
 * network card completes (net/ipv4/tcp_input.c: tcp_clean_rtx_queue()).
 *
 * SO_LINGER is 0 seconds: when the sender is closed, even because we are killed, the
 * kernel drops what has not been sent (net/ipv4/tcp.c: tcp_disconnect()).
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>

#include "base/rows.h"
#include "deadline.h"
#include "finding.h"
#include "holder.h"

/* Little, so that it is soon filled and read. The kernel tells what it really gives. */
#define RECEIVE_BYTES	(16 << 10)
/* What is sent before the page, beyond what the receiver has room for. */
#define SPARE_BYTES	(16 << 10)

struct slot {
	int sender;
	int peer;
};

struct zerocopy {
	int listener;
	struct sockaddr_in addr;
	size_t fill;		/* bytes to send before the page */
	char *buffer;		/* of that size */
	struct slot slots[HOLDER_SLOTS];
};

/*
 * On most machines it is up, but not in a guest that just runs tests. A network namespace
 * of our own would be cleaner, but takes longer to make than the tests take.
 */
static int loopback_up(int sock)
{
	struct ifreq ifr = { .ifr_name = "lo" };

	if (!ioctl(sock, SIOCGIFFLAGS, &ifr) && ifr.ifr_flags & IFF_UP)
		return 0;
	ifr.ifr_flags |= IFF_UP;
	if (ioctl(sock, SIOCSIFFLAGS, &ifr))
		return why_set(EOPNOTSUPP,
			       "the loopback interface is down (ip link set lo up, as root): %m");
	return 0;
}

static int listen_on_loopback(struct zerocopy *zc)
{
	struct sockaddr_in any = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t addr_len = sizeof(zc->addr), int_len = sizeof(int);
	int bytes = RECEIVE_BYTES;
	int rc;

	zc->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (zc->listener < 0)
		return why_set(EOPNOTSUPP, "no TCP: it takes a kernel with CONFIG_INET: %m");
	rc = loopback_up(zc->listener);
	if (rc)
		return rc;
	/* Connections inherit the size, and that the kernel does not let it grow. */
	if (setsockopt(zc->listener, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) ||
	    getsockopt(zc->listener, SOL_SOCKET, SO_RCVBUF, &bytes, &int_len) ||
	    bind(zc->listener, (struct sockaddr *)&any, sizeof(any)) ||
	    getsockname(zc->listener, (struct sockaddr *)&zc->addr, &addr_len) ||
	    listen(zc->listener, HOLDER_SLOTS))
		return why_set(errno, "cannot listen on 127.0.0.1: %m");
	zc->fill = bytes + SPARE_BYTES;
	zc->buffer = calloc(1, zc->fill);
	return zc->buffer ? 0 : why_set(ENOMEM, "no memory to fill a socket with");
}

static void hang_up(struct slot *slot)
{
	if (slot->sender >= 0)
		close(slot->sender);
	if (slot->peer >= 0)
		close(slot->peer);
}

static int get_connected(struct zerocopy *zc, struct slot *slot)
{
	struct linger drop = { .l_onoff = 1 };
	struct pollfd pfd = { .fd = zc->listener, .events = POLLIN };
	int bytes = 2 * zc->fill;
	int on = 1;

	slot->peer = -1;
	slot->sender = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (slot->sender < 0)
		return why_set(errno, "cannot make a socket: %m");
	if (setsockopt(slot->sender, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)))
		return why_set(EOPNOTSUPP, "no SO_ZEROCOPY: it takes Linux 4.14: %m");
	if (setsockopt(slot->sender, SOL_SOCKET, SO_LINGER, &drop, sizeof(drop)) ||
	    setsockopt(slot->sender, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) ||
	    connect(slot->sender, (struct sockaddr *)&zc->addr, sizeof(zc->addr)))
		return why_set(errno, "cannot connect to 127.0.0.1: %m");
	if (poll(&pfd, 1, DEADLINE_MS) > 0)
		slot->peer = accept4(zc->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (slot->peer < 0)
		return why_set(ETIMEDOUT, "a connection to 127.0.0.1 does not arrive");
	return 0;
}

/* Has the kernel told that the page has been sent and dropped? */
static bool completed(const struct slot *slot)
{
	char control[128];
	struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };
	struct sock_extended_err *err;
	struct cmsghdr *cmsg;

	if (recvmsg(slot->sender, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return false;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_level != SOL_IP || cmsg->cmsg_type != IP_RECVERR)
		return false;
	err = (struct sock_extended_err *)CMSG_DATA(cmsg);
	return err->ee_origin == SO_EE_ORIGIN_ZEROCOPY;
}

static int send_behind(struct zerocopy *zc, struct slot *slot, void *addr, size_t len)
{
	int unsent;

	if (send(slot->sender, zc->buffer, zc->fill, MSG_DONTWAIT) != (ssize_t)zc->fill)
		return why_set(ENOBUFS, "a socket does not take %zu bytes: %m", zc->fill);
	if (send(slot->sender, addr, len, MSG_ZEROCOPY | MSG_DONTWAIT) != (ssize_t)len)
		return why_set(errno, "cannot send a page with MSG_ZEROCOPY: %m");
	/*
	 * Positive control: the page has not been sent. zerocopy_prove() has shown that
	 * what waits is the page itself.
	 */
	if (ioctl(slot->sender, SIOCOUTQNSD, &unsent) || unsent < (int)len || completed(slot))
		return why_set(EIO, "a page behind %zu unread bytes was sent", zc->fill);
	return 0;
}

static int zerocopy_hold(struct holder *holder, unsigned int nr, void *addr, size_t len)
{
	struct zerocopy *zc = holder->priv;
	struct slot *slot = &zc->slots[nr];
	int rc;

	rc = get_connected(zc, slot) ?: send_behind(zc, slot, addr, len);
	if (rc)
		hang_up(slot);
	return rc;
}

/* Lets the peer read until the page is dropped; *@last is the last byte that it read. */
static int read_all(struct zerocopy *zc, struct slot *slot, char *last)
{
	long deadline = deadline_in(DEADLINE_MS);

	for (;;) {
		struct pollfd pfds[] = {
			{ .fd = slot->peer, .events = POLLIN },
			{ .fd = slot->sender },		/* POLLERR is always reported */
		};
		ssize_t n = recv(slot->peer, zc->buffer, zc->fill, 0);

		if (n > 0) {
			*last = zc->buffer[n - 1];
			continue;
		}
		if (!n || errno != EAGAIN)
			return why_set(EIO, "a connection to 127.0.0.1 broke");
		if (completed(slot))
			return 0;
		if (deadline_over(deadline))
			return why_set(ETIMEDOUT, "a page sent with MSG_ZEROCOPY is not let go of");
		poll(pfds, ARRAY_SIZE(pfds), deadline_left(deadline));
	}
}

static int let_go(struct zerocopy *zc, struct slot *slot, char *last)
{
	int rc = read_all(zc, slot, last);

	/* If the page is still being freed, closing waits for the lock that is held for it. */
	hang_up(slot);
	return rc;
}

static int zerocopy_release(struct holder *holder, unsigned int nr)
{
	struct zerocopy *zc = holder->priv;
	char last;

	return let_go(zc, &zc->slots[nr], &last);
}

/*
 * Positive control: what arrives is what the page contains when it is sent, and not what
 * it contained at the time of send(2). So the page itself waits, and no copy of it.
 */
static int zerocopy_prove(struct holder *holder)
{
	struct zerocopy *zc = holder->priv;
	size_t len = sysconf(_SC_PAGESIZE);
	char *page = aligned_alloc(len, len);
	char last = 0;
	int rc;

	if (!page)
		return why_set(ENOMEM, "no memory for a page");
	memset(page, 0, len);
	rc = zerocopy_hold(holder, 0, page, len);
	if (!rc) {
		memset(page, 1, len);
		rc = let_go(zc, &zc->slots[0], &last);
	}
	if (!rc && last != 1)
		rc = why_set(EOPNOTSUPP, "MSG_ZEROCOPY on loopback takes a copy of the page");
	free(page);
	return rc;
}

static void zerocopy_close(struct holder *holder)
{
	struct zerocopy *zc = holder->priv;

	if (zc->listener >= 0)
		close(zc->listener);
	free(zc->buffer);
	free(zc);
}

static int zerocopy_open(struct holder *holder)
{
	struct zerocopy *zc = calloc(1, sizeof(*zc));
	int rc;

	if (!zc)
		return why_set(ENOMEM, "no memory for sockets");
	holder->priv = zc;
	rc = listen_on_loopback(zc) ?: zerocopy_prove(holder);
	if (rc)
		zerocopy_close(holder);
	return rc;
}

ROW(holders, struct holder_ops, zerocopy) = {
	.name = "zerocopy",
	.what = "a MSG_ZEROCOPY send",
	.flags = HOLDER_BATCH,
	.open = zerocopy_open,
	.hold = zerocopy_hold,
	.release = zerocopy_release,
	.close = zerocopy_close,
};
