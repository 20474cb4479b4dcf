/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files about io_uring share: system calls, which liburing has no functions for
 * in part, and definitions newer than the headers of Linux 6.1. Without liburing, so that
 * these requests can be made wherever the suite is built.
 */
#ifndef DAX_BREAK_LONGTERM_URING_H
#define DAX_BREAK_LONGTERM_URING_H

#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "finding.h"
#include "longterm.h"

#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER	0x1000U
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN	0x2000U
#endif
#ifndef IORING_SETUP_NO_MMAP
#define IORING_SETUP_NO_MMAP		0x4000U
#endif

/* Enumerators: the preprocessor cannot tell whether the headers have them. */
#define LONGTERM_REGISTER_ZCRX_IFQ	32
#define LONGTERM_REGISTER_RESIZE_RINGS	33
#define LONGTERM_REGISTER_MEM_REGION	34
#define LONGTERM_REGISTER_ZCRX_CTRL	36

/* struct io_uring_region_desc, since Linux 6.13: memory shared with the kernel. */
struct longterm_region {
	__u64 user_addr;
	__u64 size;
	__u32 flags;
	__u32 id;
	__u64 mmap_offset;
	__u64 resv[4];
};

#define LONGTERM_REGION_TYPE_USER	1

/* The new ring or a negative errno. */
static inline int longterm_uring_setup(unsigned int entries, struct io_uring_params *params)
{
	int fd = syscall(__NR_io_uring_setup, entries, params);

	return fd < 0 ? -errno : fd;
}

/* 0 (or a count) or a negative errno. */
static inline int longterm_uring_register(int ring, unsigned int opcode, void *arg,
					  unsigned int nr)
{
	int rc = syscall(__NR_io_uring_register, ring, opcode, arg, nr);

	return rc < 0 ? -errno : rc;
}

/* An open() that makes a ring with @params. */
static inline int longterm_open_ring(struct longterm *longterm, struct io_uring_params *params)
{
	int fd = longterm_uring_setup(8, params);

	if (fd < 0)
		return why_set(EOPNOTSUPP,
			       "no io_uring for %s (%s): needs %s, CONFIG_IO_URING, sysctl kernel.io_uring_disabled=0",
			       longterm->request->what, strerror(-fd), longterm->request->needs);
	longterm->fd = fd;
	return 0;
}

#endif
