// SPDX-License-Identifier: GPL-2.0
/*
 * The packet memory (umem) of an AF_XDP socket: xdp_umem_pin_pages(),
 * net/xdp/xdp_umem.c. It does not use the fast path of GUP.
 */
#include <errno.h>
#include <linux/if_xdp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/rows.h"
#include "finding.h"
#include "longterm.h"

static int open_socket(struct longterm *longterm)
{
	longterm->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (longterm->fd >= 0)
		return 0;
	if (errno == EAFNOSUPPORT)
		return why_set(EOPNOTSUPP, "no AF_XDP sockets: CONFIG_XDP_SOCKETS");
	if (errno == EPERM)
		return why_set(EOPNOTSUPP, "cannot make an AF_XDP socket: needs CAP_NET_RAW");
	return why_set(errno, "an AF_XDP socket: %s", strerror(errno));
}

static int ask_umem(struct longterm *longterm, void *addr)
{
	struct xdp_umem_reg reg = {
		.addr = (uintptr_t)addr,
		.len = longterm->len,
		.chunk_size = sysconf(_SC_PAGESIZE),
	};
	int rc = setsockopt(longterm->fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg));

	return rc ? -errno : 0;
}

ROW(longterm_requests, struct longterm_request, xdp_umem) = {
	.name = "xdp_umem",
	.what = "the umem of an AF_XDP socket",
	.needs = "CONFIG_XDP_SOCKETS",
	.partial = -ENOMEM,
	.open = open_socket,
	.ask = ask_umem,
};
