/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Missing: memory whose pages are not there until the test provides them. Whoever
 * accesses one sleeps meanwhile, in the middle of what it does: a system call, for
 * instance, with other pages pinned already. By userfaultfd (fs/userfaultfd.c:
 * handle_userfault()); the faults are the kernel's, which only some may have handled in
 * user space: CAP_SYS_PTRACE, or vm.unprivileged_userfaultfd=1. If we are killed the
 * sleep ends.
 */
#ifndef DAX_BREAK_MISSING_H
#define DAX_BREAK_MISSING_H

#include <stddef.h>
#include <linux/types.h>

struct missing {
	int uffd;		/* -1: not open */
	size_t page_size;
	unsigned int pages;
	char *area;		/* the pages */
	__u64 *page;		/* what one is provided with */
};

/* -EOPNOTSUPP: no userfaultfd. Ended by missing_close() in any case. */
int missing_open(struct missing *missing, unsigned int pages);
void *missing_page(const struct missing *missing, unsigned int page);

/* Waits until somebody wants @page; -ETIMEDOUT after DEADLINE_MS. */
int missing_wait(struct missing *missing, unsigned int page);

/* Provides @page, filled with @word: who waits for it goes on. */
int missing_provide(struct missing *missing, unsigned int page, __u64 word);

/* Takes @page away again. */
void missing_take(struct missing *missing, unsigned int page);

/* Nobody has to wait any longer: what is not there is provided by the kernel. */
void missing_end(struct missing *missing);

/* Frees the memory, which nobody may use any more. */
void missing_close(struct missing *missing);

#endif
