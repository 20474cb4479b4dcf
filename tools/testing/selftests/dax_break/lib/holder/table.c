// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/rows.h"
#include "finding.h"
#include "holder.h"

ROWS(holders, ROWS_MAX);

const struct holder_ops *holder_next(const struct holder_ops *ops)
{
	return rows_next(&holders_rows, ops);
}

static int open_one(struct holder *holder, const struct holder_ops *ops)
{
	int rc;

	memset(holder, 0, sizeof(*holder));
	holder->ops = ops;
	rc = ops->open(holder);
	if (rc)
		holder->ops = NULL;
	return rc;
}

/* The first by name that has @flag, and that the kernel has. */
static int open_flagged(struct holder *holder, unsigned int flag)
{
	const struct holder_ops *ops = NULL;
	int rc = -EOPNOTSUPP;

	while (rc == -EOPNOTSUPP && (ops = holder_next(ops)))
		if (ops->flags & flag)
			rc = open_one(holder, ops);
	return rc;
}

int holder_open(struct holder *holder, const char *name)
{
	const struct holder_ops *ops = rows_find(&holders_rows, name);
	int rc;

	if (!strcmp(name, HOLDER_DEVICE)) {
		rc = open_flagged(holder, HOLDER_DEVICE_FIRST);
		return rc == -EOPNOTSUPP ? open_flagged(holder, HOLDER_DEVICE_ELSE) : rc;
	}
	holder->ops = NULL;
	return ops ? open_one(holder, ops) : why_set(EINVAL, "no holder is called %s", name);
}

int holder_hold(struct holder *holder, unsigned int page, void *addr, size_t len)
{
	unsigned int slot = 0;
	int rc;

	while (slot < HOLDER_SLOTS && holder->slots[slot].held)
		slot++;
	if (slot == HOLDER_SLOTS)
		return why_set(ENOSPC, "%s cannot hold more than %u pages", holder->ops->name,
			       HOLDER_SLOTS);
	rc = holder->ops->hold(holder, slot, addr, len);
	holder->slots[slot].held = !rc;
	holder->slots[slot].page = page;
	return rc;
}

/* The slot that holds @page; HOLDER_SLOTS: none does. */
static unsigned int slot_of(const struct holder *holder, unsigned int page)
{
	unsigned int slot = 0;

	while (slot < HOLDER_SLOTS &&
	       !(holder->slots[slot].held && holder->slots[slot].page == page))
		slot++;
	return slot;
}

int holder_release(struct holder *holder, unsigned int page, bool *filled, __u64 *word)
{
	unsigned int slot = slot_of(holder, page);

	*filled = false;
	if (slot == HOLDER_SLOTS)
		return why_set(EINVAL, "%s does not hold page %u", holder->ops->name, page);
	if (holder->ops->fills) {
		*filled = true;
		*word = holder->ops->fills(slot);
	}
	holder->slots[slot].held = false;
	return holder->ops->release(holder, slot);
}

int holder_look(struct holder *holder, unsigned int page, unsigned char *byte)
{
	unsigned int slot = slot_of(holder, page);

	if (!holder->ops->look || slot == HOLDER_SLOTS)
		return -ENODATA;
	return holder->ops->look(holder, slot, byte);
}

long holder_lowest(const struct holder *holder)
{
	long lowest = -1;

	for (unsigned int slot = 0; slot < HOLDER_SLOTS; slot++)
		if (holder->slots[slot].held &&
		    (lowest < 0 || holder->slots[slot].page < lowest))
			lowest = holder->slots[slot].page;
	return lowest;
}

const char *holder_describe(const struct holder *holder)
{
	static char text[16 * HOLDER_SLOTS];
	const char *comma = "";
	size_t len = 0;

	text[0] = '\0';
	for (unsigned int slot = 0; slot < HOLDER_SLOTS; slot++) {
		if (!holder->slots[slot].held)
			continue;
		len += snprintf(text + len, sizeof(text) - len, "%s%u", comma,
				holder->slots[slot].page);
		comma = ",";
	}
	return text;
}

void holder_close(struct holder *holder)
{
	if (!holder->ops)
		return;
	for (unsigned int slot = 0; slot < HOLDER_SLOTS; slot++)
		if (holder->slots[slot].held)
			holder->ops->release(holder, slot);
	holder->ops->close(holder);
	holder->ops = NULL;
}
