/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Missing: memory whose pages are not there until the test provides them. Whatever
 * accesses such a page sleeps until then, in the middle of what it is doing: a system call,
 * for instance, that has pinned other pages already. If we are killed, the sleep ends.
 *
 * This is done by userfaultfd (fs/userfaultfd.c: handle_userfault()). The faults happen in
 * the kernel, and to handle these in user space takes CAP_SYS_PTRACE, or
 * vm.unprivileged_userfaultfd=1.
 */
#ifndef DAX_BREAK_MISSING_H
#define DAX_BREAK_MISSING_H

#include <stddef.h>
#include <linux/types.h>

struct missing {
	int uffd;		/* -1: not open */
	size_t page_size;
	unsigned int pages;
	char *area;		/* all pages, in one mapping */
	__u64 *page;		/* the content of the next page to be provided */
};

/*
 * Maps @pages pages, all of them missing. -EOPNOTSUPP: there is no userfaultfd for us.
 * missing_close() has to follow even if this fails.
 */
int missing_open(struct missing *missing, unsigned int pages);

/* The address of page @page. */
void *missing_page(const struct missing *missing, unsigned int page);

/* Waits until something accesses @page; -ETIMEDOUT after DEADLINE_MS. */
int missing_wait(struct missing *missing, unsigned int page);

/* Provides @page, filled with @word, and so wakes what waits for it. */
int missing_provide(struct missing *missing, unsigned int page, __u64 word);

/* Takes @page away again: it is missing. */
void missing_take(struct missing *missing, unsigned int page);

/* Wakes everything that waits: from now on the kernel provides missing pages itself. */
void missing_end(struct missing *missing);

/* Frees the memory, which nothing may use any more. */
void missing_close(struct missing *missing);

#endif
