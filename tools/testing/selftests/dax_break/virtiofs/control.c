// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "control.h"
#include "fuse.h"
#include "hold.h"
#include "log.h"
#include "store.h"
#include "protocol.h"
#include "window.h"

/* Larger than any errno that has a name. */
#define MAX_ERRNO	134

/* The errno called @name, or 0. */
static int errno_called(const char *name)
{
	for (int i = 1; i < MAX_ERRNO; i++) {
		const char *is = strerrorname_np(i);

		if (is && !strcmp(is, name))
			return i;
	}
	return 0;
}

static int resize(__u64 ino, __u64 size)
{
	struct node *node = store_find(ino);

	return node && node->fd >= 0 && !node->special ? store_resize(node, size) : -ENOENT;
}

static void empty(void)
{
	struct node *next;

	for (struct node *node = store_next(NULL); node; node = next) {
		next = store_next(node);
		if (node->id == FUSE_ROOT_ID || node->special)
			continue;
		note("left behind: file %llu (%s), %llu bytes", (unsigned long long)node->id,
		     node->name, (unsigned long long)node->size);
		store_unlink(node);
	}
}

static void go(void)
{
	fuse_end_holds();
	hold_end();
}

static int write_control(const char *text, size_t len)
{
	char order[64], op[32], error[32];
	unsigned long long ino, size;

	if (len >= sizeof(order))
		return -EINVAL;
	snprintf(order, sizeof(order), "%.*s", (int)len, text);
	order[strcspn(order, "\n")] = '\0';
	note("order: %s", order);
	if (!strcmp(order, "go"))
		go();
	else if (!strcmp(order, "keep_cache off"))
		fuse_keep_cache(false);
	else if (!strcmp(order, "empty"))
		empty();
	else if (sscanf(order, "hold %31s", op) == 1)
		return fuse_order(op, 0);
	else if (sscanf(order, "fail %31s %31s", op, error) == 2 && errno_called(error))
		return fuse_order(op, errno_called(error));
	else if (sscanf(order, "resize %llu %llu", &ino, &size) == 2)
		return resize(ino, size);
	else
		return -EINVAL;
	return 0;
}

static const char *read_control(void)
{
	static char state[64];

	snprintf(state, sizeof(state), VIRTIOFS_STATE, hold_count(), window_ranges());
	return state;
}

static void close_control(void)
{
	go();
	fuse_end_orders();
}

static const char *read_complaints(void)
{
	store_look("when it was asked for");
	return complaints_text();
}

static void make(const char *name, const struct special *special)
{
	struct node *node = store_create(store_find(FUSE_ROOT_ID), name, S_IFREG | 0600, 0, 0);

	if (!node)
		die("no memory for %s", name);
	node->special = special;
}

void control_init(void)
{
	static const struct special control = {
		.text = read_control,
		.write = write_control,
		.closed = close_control,
	}, complaints = {
		.text = read_complaints,
		.truncate = complaints_clear,
	};

	make(VIRTIOFS_CONTROL, &control);
	make(VIRTIOFS_COMPLAINTS, &complaints);
}
