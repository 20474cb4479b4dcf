// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "holder.h"
#include "why.h"

const struct holder_ops *const holders[] = {
	&holder_vmsplice,
	&holder_tee,
	&holder_vmsplice_exited,
	&holder_fuse_read,
	&holder_fuse_write,
	&holder_vm_readv,
	&holder_vm_writev,
	&holder_zerocopy,
	&holder_dio_read,
	&holder_dio_write,
	&holder_aio_read,
	&holder_aio_write,
	&holder_uring_read,
	&holder_uring_write,
	&holder_fixed_read,
	&holder_fixed_write,
	&holder_fixed_commit,
	&holder_fixed_clone,
	&holder_fixed_killed,
	NULL
};

/* For HOLDER_DEVICE: where there is no ublk, a file's server has to do. */
static const char *const devices[] = { "dio_read", "fuse_read" };

static int open_one(struct holder *holder, const char *name)
{
	int rc;

	memset(holder, 0, sizeof(*holder));
	for (size_t i = 0; holders[i]; i++)
		if (!strcmp(holders[i]->name, name))
			holder->ops = holders[i];
	if (!holder->ops)
		return why_set(EINVAL, "no holder is called %s", name);
	rc = holder->ops->open(holder);
	if (rc)
		holder->ops = NULL;
	return rc;
}

int holder_open(struct holder *holder, const char *name)
{
	int rc = -EOPNOTSUPP;

	if (strcmp(name, HOLDER_DEVICE))
		return open_one(holder, name);
	for (size_t i = 0; rc == -EOPNOTSUPP && i < ARRAY_SIZE(devices); i++)
		rc = open_one(holder, devices[i]);
	return rc;
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

/* The slot that holds @page, or HOLDER_SLOTS. */
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
