/* SPDX-License-Identifier: GPL-2.0 */
#ifndef DAX_BREAK_HOLDER_H
#define DAX_BREAK_HOLDER_H

struct holder_ops {
	const char *name;
	const char *what;	/* "page 2 is pinned by <what>" */
	/*
	 * Sets holder->priv up. It may fork, so it is called before any DAX file is
	 * mapped. -EOPNOTSUPP: the kernel lacks the mechanism.
	 */
	int (*open)(struct holder *holder);
	/* Takes a reference to the page at @addr, of @len bytes. */
	int (*hold)(struct holder *holder, unsigned int slot, void *addr, size_t len);
	/* The word that the release fills the page with. NULL: the release does not. */
	__u64 (*fills)(unsigned int slot);
	/* Drops the reference. It is gone on return, or a moment later without any help. */
	int (*release)(struct holder *holder, unsigned int slot);
	/* Frees holder->priv, after all slots have been released. */
	void (*close)(struct holder *holder);
};

/* -EOPNOTSUPP: the kernel lacks the holder called @name. */
int holder_open(struct holder *holder, const char *name);

/* Releases one reference to @page. */
int holder_release(struct holder *holder, unsigned int page);

#endif
