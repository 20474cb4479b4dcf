/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Takes the place of a guest and of QEMU: it makes the requests that a guest's kernel
 * makes, and its DAX window is memory of this process. There is one guest, so there is one
 * window.
 *
 * Functions called ask*() make a request and return what the server answers, which is 0 or
 * a negative errno, unless they say otherwise. Offsets and sizes are in bytes.
 */
#ifndef DAX_BREAK_CHECK_GUEST_H
#define DAX_BREAK_CHECK_GUEST_H

#include <linux/fuse.h>
#include <linux/types.h>

#include "../../tools/testing/selftests/dax_break/virtiofs/fuse.h"

#define RANGES	4
#define PAGE	4096

struct asking {
	__u64 node;		/* of a file called "file", which is one page long and open */
	char request[8192];
	char reply[8192];
	size_t len;		/* of the reply */
	bool hold;		/* an order says to keep the reply */
};

/* Where the window is. The test reserves RANGES ranges of memory there. */
extern char *window;

#define ASK(_opcode, _node, _in) ask(asking, _opcode, _node, &(_in), sizeof(_in), "", 0)

/* Stores @text to the window, as a process does that has the page mapped, or a device. */
void store(char *at, const char *text);
/* The request's arguments are @in, followed by @more. */
int ask(struct asking *asking, __u32 opcode, __u64 node, const void *in, size_t in_len,
	const void *more, size_t more_len);
int ask_name(struct asking *asking, __u32 opcode, const char *name);
int ask_lookup(struct asking *asking, const char *name, __u64 *node);
int ask_create(struct asking *asking, const char *name, __u64 *node);
int ask_write(struct asking *asking, __u64 node, __u64 at, const char *text);
/* Returns what the file has there, as text, until the next request. */
const char *ask_read(struct asking *asking, __u64 node, __u64 at, size_t len);
int ask_resize(struct asking *asking, __u64 size);
/* These are about range @range both of the window and of the file. */
int ask_map(struct asking *asking, __u64 node, unsigned int range);
int ask_unmap(struct asking *asking, unsigned int range);
int ask_release(struct asking *asking, __u64 node);
__u64 ask_free_blocks(struct asking *asking);
/* Opens the control file and gives an order, which is in force until ask_end_orders(). */
int ask_order(struct asking *asking, const char *text);
int ask_end_orders(struct asking *asking);

#endif
