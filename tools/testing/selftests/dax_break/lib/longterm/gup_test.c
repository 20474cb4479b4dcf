// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's own test device, which pins whatever it is told to:
 * pin_longterm_test_start(), mm/gup_test.c. If GUP has pinned only a part, it calls GUP
 * again for the rest, so its errors are GUP's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/rows.h"
#include "finding.h"
#include "longterm.h"

#define GUP_TEST	"/sys/kernel/debug/gup_test"

/* mm/gup_test.h, which is not part of the user API. */
struct gup_test_pin {
	__u64 addr;
	__u64 size;
	__u32 flags;
};

#define GUP_TEST_START	_IOW('g', 7, struct gup_test_pin)
#define GUP_TEST_WRITE	1
#define GUP_TEST_FAST	2

static int open_device(struct longterm *longterm)
{
	longterm->fd = open(GUP_TEST, O_RDWR | O_CLOEXEC);
	if (longterm->fd >= 0)
		return 0;
	if (errno == ENOENT || errno == EACCES || errno == EPERM)
		return why_set(EOPNOTSUPP, "no " GUP_TEST " (%s): CONFIG_GUP_TEST, debugfs, root",
			       strerror(errno));
	return why_set(errno, GUP_TEST ": %s", strerror(errno));
}

static int pin(struct longterm *longterm, void *addr, __u32 flags)
{
	struct gup_test_pin arg = {
		.addr = (uintptr_t)addr,
		.size = longterm->len,
		.flags = flags,
	};

	return ioctl(longterm->fd, GUP_TEST_START, &arg) ? -errno : 0;
}

static int ask_read(struct longterm *longterm, void *addr)
{
	return pin(longterm, addr, 0);
}

static int ask_read_fast(struct longterm *longterm, void *addr)
{
	return pin(longterm, addr, GUP_TEST_FAST);
}

static int ask_write(struct longterm *longterm, void *addr)
{
	return pin(longterm, addr, GUP_TEST_WRITE);
}

static int ask_write_fast(struct longterm *longterm, void *addr)
{
	return pin(longterm, addr, GUP_TEST_WRITE | GUP_TEST_FAST);
}

ROW(longterm_requests, struct longterm_request, gup_test_read) = {
	.name = "gup_test_read",
	.what = "gup_test's long-term pin to read",
	.needs = "Linux 6.2",
	.partial = -EOPNOTSUPP,
	.open = open_device,
	.ask = ask_read,
};

ROW(longterm_requests, struct longterm_request, gup_test_read_fast) = {
	.name = "gup_test_read_fast",
	.what = "gup_test's fast long-term pin to read",
	.needs = "Linux 6.2",
	.partial = -EOPNOTSUPP,
	.open = open_device,
	.ask = ask_read_fast,
};

ROW(longterm_requests, struct longterm_request, gup_test_write) = {
	.name = "gup_test_write",
	.what = "gup_test's long-term pin to write",
	.needs = "Linux 6.2",
	.partial = -EOPNOTSUPP,
	.open = open_device,
	.ask = ask_write,
};

ROW(longterm_requests, struct longterm_request, gup_test_write_fast) = {
	.name = "gup_test_write_fast",
	.what = "gup_test's fast long-term pin to write",
	.needs = "Linux 6.2",
	.partial = -EOPNOTSUPP,
	.open = open_device,
	.ask = ask_write_fast,
};
