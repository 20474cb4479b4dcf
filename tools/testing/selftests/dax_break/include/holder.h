/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Holders: the ways in which the kernel comes to hold references to mapped pages, each
 * under the test's control. They are the rows of one table (base/rows.h), and each row
 * is in the file that implements it, in lib/holder/.
 *
 * A holder has slots, numbered from 0, each of which holds one page at most. Tests and
 * diagnoses name a page by its number in its file; a page may be held several times.
 */
#ifndef DAX_BREAK_HOLDER_H
#define DAX_BREAK_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define HOLDER_SLOTS	64

struct holder;

enum holder_flag {
	/* Its release writes to the page, as a device does: HOLDER_DEVICE can be it, */
	HOLDER_DEVICE_FIRST	= 1 << 0,
	/* or this one, where the kernel lacks the former. */
	HOLDER_DEVICE_ELSE	= 1 << 1,
	/*
	 * It takes part in tests in which one request holds several pages, and drops them
	 * all at once: one holder for each way in which the kernel does so.
	 */
	HOLDER_BATCH		= 1 << 2,
	/*
	 * Its release drops the reference itself, rather than have somebody else do it: on
	 * return, whoever waited for the page is runnable.
	 */
	HOLDER_PROMPT		= 1 << 3,
};

struct holder_ops {
	const char *name;
	const char *what;	/* "page 2 is pinned by <what>" */
	unsigned int flags;	/* enum holder_flag */
	/*
	 * Sets holder->priv up. It may fork, so it is called before any DAX file is
	 * mapped. -EOPNOTSUPP: the kernel lacks the mechanism.
	 */
	int (*open)(struct holder *holder);
	/*
	 * Takes a reference to the page at @addr, and makes sure that it is really held
	 * (positive control). @len is the size of a page; with HOLDER_BATCH it may be
	 * several. The page may be mapped read-only or private, so only a holder that fills
	 * it may store to it.
	 */
	int (*hold)(struct holder *holder, unsigned int slot, void *addr, size_t len);
	/*
	 * Reads the first byte of the page through the reference. It is for holders whose
	 * hold() cannot prove that the page is held without changing the page: the caller
	 * changes it, and looks. NULL: hold() has proved it.
	 */
	int (*look)(struct holder *holder, unsigned int slot, unsigned char *byte);
	/*
	 * The 64-bit word that the release fills the page with. NULL: the release does not
	 * write to the page.
	 */
	__u64 (*fills)(unsigned int slot);
	/*
	 * Drops the reference. It is gone on return, or a moment later without any help.
	 */
	int (*release)(struct holder *holder, unsigned int slot);
	/* Frees holder->priv, after all slots have been released. */
	void (*close)(struct holder *holder);
};

struct holder {
	const struct holder_ops *ops;	/* NULL: not open */
	void *priv;
	struct {
		bool held;
		unsigned int page;
	} slots[HOLDER_SLOTS];
};

/* The holder that follows @ops in the order of the names; NULL: the first, or no more. */
const struct holder_ops *holder_next(const struct holder_ops *ops);

/* In place of a name: what the kernel has with HOLDER_DEVICE_FIRST, or HOLDER_DEVICE_ELSE. */
#define HOLDER_DEVICE	"device"

/* @name is that of a holder, or HOLDER_DEVICE. -EOPNOTSUPP: the kernel lacks it. */
int holder_open(struct holder *holder, const char *name);

/* Holds the page at @addr, which is page @page of its file. -ENOSPC: no slot is left. */
int holder_hold(struct holder *holder, unsigned int page, void *addr, size_t len);

/*
 * Releases one reference to @page. *@filled tells whether that filled the page, and then
 * *@word is the word that it was filled with.
 */
int holder_release(struct holder *holder, unsigned int page, bool *filled, __u64 *word);

/*
 * Reads the first byte of the held @page through the reference. -ENODATA, without a
 * reason: it cannot be read.
 */
int holder_look(struct holder *holder, unsigned int page, unsigned char *byte);

/* The lowest page that is held; -1: none is. */
long holder_lowest(const struct holder *holder);

/* The pages that are held, as "0,2" for a diagnosis; the next call overwrites it. */
const char *holder_describe(const struct holder *holder);

/* Releases everything that is held. It can be called at any time, in any state. */
void holder_close(struct holder *holder);

#endif
