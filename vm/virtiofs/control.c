// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checker.h"
#include "control.h"
#include "hold.h"
#include "log.h"
#include "window.h"

#define MAX_ORDERS	8

/* That are in force. */
static struct order {
	const struct fuse_op *op;
	int error;			/* to fail with; 0: the reply is kept */
} orders[MAX_ORDERS];

static unsigned int nr_orders;
static bool forget_cache;
static struct node *control, *complaints;

static struct node *make(struct node *root, const char *name)
{
	struct node *node = store_create(root, name, S_IFREG | 0600, 0, 0);

	if (!node)
		die("no memory for %s", name);
	node->control = true;
	return node;
}

void control_init(void)
{
	struct node *root = store_find(FUSE_ROOT_ID);

	control = make(root, ".control");
	complaints = make(root, ".complaints");
}

static const struct order *find(const struct fuse_op *op, bool fails)
{
	for (unsigned int i = 0; i < nr_orders; i++)
		if (orders[i].op == op && fails == !!orders[i].error)
			return &orders[i];
	return NULL;
}

int control_fails(const struct fuse_op *op)
{
	const struct order *order = find(op, true);

	return order ? -order->error : 0;
}

bool control_holds(const struct fuse_op *op)
{
	return find(op, false);
}

bool control_keeps_cache(void)
{
	return !forget_cache;
}

int control_read(const struct node *node, struct request *r, off_t offset, size_t len)
{
	char state[64];
	const char *text = state;

	if (node == complaints) {
		checker_look("when it was asked for");
		text = checker_complaints();
	} else {
		snprintf(state, sizeof(state), "held %u ranges %u\n", hold_count(),
			 window_ranges());
	}
	if (offset >= (off_t)strlen(text))
		return 0;
	r->out_len = strnlen(text + offset, len);
	memcpy(r->out, text + offset, r->out_len);
	return 0;
}

/* Its number; 0: there is none. */
static int errno_called(const char *name)
{
	for (int i = 1; i < 134; i++) {
		const char *is = strerrorname_np(i);

		if (is && !strcmp(is, name))
			return i;
	}
	return 0;
}

static int add_order(const char *op, int error)
{
	const struct fuse_op *found = fuse_op_called(op);

	if (!found)
		return -EINVAL;
	if (nr_orders == MAX_ORDERS)
		return -ENOSPC;
	orders[nr_orders++] = (struct order){ found, error };
	return 0;
}

static int resize(__u64 ino, __u64 size)
{
	struct node *node = store_find(ino);

	return node && node->fd >= 0 && !node->control ? store_resize(node, size) : -ENOENT;
}

/* As new: no file but ours. */
static void empty(void)
{
	struct node *next;

	for (struct node *node = store_next(NULL); node; node = next) {
		next = store_next(node);
		if (node->id == FUSE_ROOT_ID || node->control)
			continue;
		note("left behind: file %llu (%s), %llu bytes", (unsigned long long)node->id,
		     node->name, (unsigned long long)node->size);
		store_unlink(node);
	}
}

/* No reply is kept any more, and none will be. */
static void go(void)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < nr_orders; i++)
		if (orders[i].error)
			orders[left++] = orders[i];
	nr_orders = left;
	hold_end();
}

int control_write(const struct node *node, const char *text, size_t len)
{
	char order[64], op[32], error[32];
	unsigned long long ino, size;

	if (node != control || len >= sizeof(order))
		return -EINVAL;
	snprintf(order, sizeof(order), "%.*s", (int)len, text);
	order[strcspn(order, "\n")] = '\0';
	note("order: %s", order);
	if (!strcmp(order, "go")) {
		go();
		return 0;
	}
	if (!strcmp(order, "keep_cache off")) {
		forget_cache = true;
		return 0;
	}
	if (!strcmp(order, "empty")) {
		empty();
		return 0;
	}
	if (sscanf(order, "hold %31s", op) == 1)
		return add_order(op, 0);
	if (sscanf(order, "fail %31s %31s", op, error) == 2 && errno_called(error))
		return add_order(op, errno_called(error));
	if (sscanf(order, "resize %llu %llu", &ino, &size) == 2)
		return resize(ino, size);
	return -EINVAL;
}

int control_truncate(const struct node *node)
{
	if (node == complaints)
		checker_clear();
	return 0;
}

void control_closed(const struct node *node)
{
	if (node != control)
		return;
	go();
	nr_orders = 0;
	forget_cache = false;
}
