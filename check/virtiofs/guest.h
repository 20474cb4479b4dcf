/* SPDX-License-Identifier: GPL-2.0 */
/*
 * In place of a guest, and of QEMU: memory of this process for the DAX window, and
 * requests as a guest's kernel makes them. One guest, so there is one window.
 *
 * All that ask return what the server answers: 0 or a negative errno.
 */
#ifndef DAX_BREAK_CHECK_GUEST_H
#define DAX_BREAK_CHECK_GUEST_H

#include <linux/fuse.h>
#include <linux/types.h>

#include "../../vm/virtiofs/fuse.h"

#define RANGES	4
#define PAGE	4096

struct asking {
	__u64 node;		/* of a file "file" of one page, open */
	char request[8192];
	char reply[8192];
	size_t len;		/* of the reply */
};

/* Where the window is; the test maps memory there, RANGES ranges of it. */
extern char *window;

#define ASK(_opcode, _node, _in) ask(asking, _opcode, _node, &(_in), sizeof(_in), "", 0)

/* As whoever has the page mapped does, or a device. */
void store(char *at, const char *text);
/* With @in and then @more. */
int ask(struct asking *asking, __u32 opcode, __u64 node, const void *in, size_t in_len,
	const void *more, size_t more_len);
int ask_name(struct asking *asking, __u32 opcode, const char *name);
int ask_lookup(struct asking *asking, const char *name, __u64 *node);
int ask_create(struct asking *asking, const char *name, __u64 *node);
int ask_write(struct asking *asking, __u64 node, __u64 at, const char *text);
/* What is in there, as text; overwritten by the next request. */
const char *ask_read(struct asking *asking, __u64 node, __u64 at, size_t len);
int ask_resize(struct asking *asking, __u64 size);
/* Range @range of the window, the same of the file. */
int ask_map(struct asking *asking, __u64 node, unsigned int range);
int ask_unmap(struct asking *asking, unsigned int range);
int ask_release(struct asking *asking, __u64 node);
__u64 ask_free_blocks(struct asking *asking);
/* Opens .control and gives it an order. */
int ask_order(struct asking *asking, const char *text);
int ask_end_orders(struct asking *asking);

#endif
