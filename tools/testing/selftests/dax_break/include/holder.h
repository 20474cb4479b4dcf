/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Holders: ways in which the kernel comes to hold references to mapped pages,
 * each under the test's control. One table; a mechanism is one file holder_*.c.
 *
 * A holder has slots, numbered from 0; each holds one page at most. Tests and
 * diagnoses go by the number of the page in its file, which may be held several
 * times.
 */
#ifndef DAX_BREAK_HOLDER_H
#define DAX_BREAK_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define HOLDER_SLOTS	64

struct holder;

struct holder_ops {
	const char *name;
	const char *what;	/* "page 2 is pinned by <what>" */
	const void *kind;	/* tells apart the holders of one holder_*.c, if several */
	/*
	 * Sets holder->priv up. It may fork, so it is called before any DAX file
	 * is mapped. -EOPNOTSUPP: the kernel lacks the mechanism.
	 */
	int (*open)(struct holder *holder);
	/*
	 * Takes a reference to the page at @addr (@len bytes: the page size), and
	 * makes sure that it is really held (positive control). The page may be
	 * mapped read-only or private: only a holder that fills it may store to it.
	 */
	int (*hold)(struct holder *holder, unsigned int slot, void *addr, size_t len);
	/*
	 * Where seeing that it is held takes a change of the page, which is not for
	 * the holder to make: the first byte of the page as found through the
	 * reference. NULL: hold() has proved it.
	 */
	int (*look)(struct holder *holder, unsigned int slot, unsigned char *byte);
	/*
	 * What the release fills the page with, in 64-bit words: the mechanism is a
	 * device that writes to memory. NULL: it is not.
	 */
	__u64 (*fills)(unsigned int slot);
	/* Drops it; it is gone on return, or a moment later without anybody's help. */
	int (*release)(struct holder *holder, unsigned int slot);
	/* Frees holder->priv; all slots have been released. */
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

/* The table; ends with NULL. */
extern const struct holder_ops *const holders[];

/*
 * By its name in the table, or HOLDER_DEVICE: one that writes to pages, like a device,
 * whichever of these the kernel has.
 */
int holder_open(struct holder *holder, const char *name);

#define HOLDER_DEVICE	"device"

/* Holds the page at @addr, @page of its file. -ENOSPC: all slots are taken. */
int holder_hold(struct holder *holder, unsigned int page, void *addr, size_t len);

/*
 * Releases one reference to @page. If that filled it, *@filled is true and *@word
 * what with.
 */
int holder_release(struct holder *holder, unsigned int page, bool *filled, __u64 *word);

/* The first byte of the held @page as the reference sees it; -ENODATA: cannot tell. */
int holder_look(struct holder *holder, unsigned int page, unsigned char *byte);

/* The lowest page held; -1: none is. */
long holder_lowest(const struct holder *holder);

/* Which pages are held, for a diagnosis: "0,2"; overwritten by the next call. */
const char *holder_describe(const struct holder *holder);

/* Releases whatever is held, in any state: safe to call at any time. */
void holder_close(struct holder *holder);

extern const struct holder_ops holder_vmsplice;
extern const struct holder_ops holder_tee;
extern const struct holder_ops holder_vmsplice_exited;
extern const struct holder_ops holder_fuse_read;
extern const struct holder_ops holder_fuse_write;
extern const struct holder_ops holder_vm_readv;
extern const struct holder_ops holder_vm_writev;
extern const struct holder_ops holder_zerocopy;
extern const struct holder_ops holder_dio_read;
extern const struct holder_ops holder_dio_write;
extern const struct holder_ops holder_aio_read;
extern const struct holder_ops holder_aio_write;
extern const struct holder_ops holder_uring_read;
extern const struct holder_ops holder_uring_write;
extern const struct holder_ops holder_fixed_read;
extern const struct holder_ops holder_fixed_write;
extern const struct holder_ops holder_fixed_commit;
extern const struct holder_ops holder_fixed_clone;
extern const struct holder_ops holder_fixed_killed;

#endif
