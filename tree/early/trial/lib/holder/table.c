// SPDX-License-Identifier: GPL-2.0
int holder_open(struct holder *holder, const char *name)
{
	const struct holder_ops *ops = rows_find(&holders_rows, name);

	holder->ops = NULL;
	return ops ? open_one(holder, ops) : why_set(EINVAL, "no holder is called %s", name);
}

int holder_release(struct holder *holder, unsigned int page)
{
	unsigned int slot = slot_of(holder, page);

	if (slot == HOLDER_SLOTS)
		return why_set(EINVAL, "%s does not hold page %u", holder->ops->name, page);
	holder->slots[slot].held = false;
	return holder->ops->release(holder, slot);
}
