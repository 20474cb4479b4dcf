// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "holder.h"
#include "why.h"

static const struct holder_ops *const holders[] = {
	&holder_vmsplice,
	&holder_dio_read,
	&holder_dio_write,
};

int holder_open(struct holder *holder, const char *name)
{
	int rc;

	memset(holder, 0, sizeof(*holder));
	for (size_t i = 0; i < ARRAY_SIZE(holders); i++)
		if (!strcmp(holders[i]->name, name))
			holder->ops = holders[i];
	if (!holder->ops)
		return why_set(EINVAL, "no holder is called %s", name);
	rc = holder->ops->open(holder);
	if (rc)
		holder->ops = NULL;
	return rc;
}

int holder_hold(struct holder *holder, unsigned int slot, void *addr, size_t len)
{
	int rc;

	if (slot >= HOLDER_SLOTS || holder->held[slot])
		return why_set(EINVAL, "slot %u of %s is taken, or none", slot, holder->ops->name);
	rc = holder->ops->hold(holder, slot, addr, len);
	holder->held[slot] = !rc;
	return rc;
}

int holder_release(struct holder *holder, unsigned int slot)
{
	holder->held[slot] = false;
	return holder->ops->release(holder, slot);
}

const char *holder_describe(const struct holder *holder)
{
	static char text[8 * HOLDER_SLOTS];
	const char *comma = "";
	size_t len = 0;

	text[0] = '\0';
	for (unsigned int slot = 0; slot < HOLDER_SLOTS; slot++) {
		if (!holder->held[slot])
			continue;
		len += snprintf(text + len, sizeof(text) - len, "%s%u", comma, slot);
		comma = ",";
	}
	return text;
}

void holder_close(struct holder *holder)
{
	if (!holder->ops)
		return;
	for (unsigned int slot = 0; slot < HOLDER_SLOTS; slot++)
		if (holder->held[slot])
			holder_release(holder, slot);
	holder->ops->close(holder);
	holder->ops = NULL;
}
