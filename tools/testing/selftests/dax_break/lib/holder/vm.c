// SPDX-License-Identifier: GPL-2.0
/*
 * process_vm_readv(2) and process_vm_writev(2), from and to our own process. They pin
 * (FOLL_PIN) the "remote" page, which is the DAX page, before they touch the "local" one
 * (mm/process_vm_access.c: process_vm_rw_single_vec() calls pin_user_pages_remote(), then
 * process_vm_rw_pages()). The local page is missing (missing.h), so the call sleeps in the
 * middle of its copy, with the DAX page pinned, until we provide the local one.
 *
 * process_vm_writev(2) pins with FOLL_WRITE, and only after that sleep does the kernel
 * store to the DAX page: as late as a device.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/rows.h"
#include "call.h"
#include "finding.h"
#include "holder.h"
#include "missing.h"

#define PATTERN		0x766d5f7772697400ULL	/* in the low byte: the slot */

struct slot {
	struct call call;
	struct iovec local, remote;
	bool write;
};

struct vm {
	struct missing local;		/* a page for each slot */
	struct slot slots[HOLDER_SLOTS];
};

/* Of the two, only process_vm_writev(2) fills the page. */
static bool writes(const struct holder *holder)
{
	return holder->ops->fills;
}

static ssize_t rw(void *arg)
{
	const struct slot *slot = arg;

	if (slot->write)
		return process_vm_writev(getpid(), &slot->local, 1, &slot->remote, 1, 0);
	return process_vm_readv(getpid(), &slot->local, 1, &slot->remote, 1, 0);
}

/* A call that has nothing to copy succeeds if the kernel has it. */
static int probe(void)
{
	struct iovec none = { 0 };

	if (!process_vm_readv(getpid(), &none, 1, &none, 1, 0))
		return 0;
	return why_set(EOPNOTSUPP,
		       "no process_vm_readv: it takes a kernel with CONFIG_CROSS_MEMORY_ATTACH: %m");
}

/*
 * Ends the calls that may still sleep after a failure. Leaves the memory behind if one
 * does not end, since it uses it.
 */
static void vm_close(struct holder *holder)
{
	struct vm *vm = holder->priv;

	missing_end(&vm->local);
	for (unsigned int nr = 0; nr < HOLDER_SLOTS; nr++)
		if (call_end(&vm->slots[nr].call))
			return;
	missing_close(&vm->local);
	free(vm);
}

static int vm_open(struct holder *holder)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	int rc;

	if (!vm)
		return why_set(ENOMEM, "no memory for calls");
	holder->priv = vm;
	vm->local.uffd = -1;
	rc = probe() ?: missing_open(&vm->local, HOLDER_SLOTS);
	if (rc)
		vm_close(holder);
	return rc;
}

/* Lets the call copy, release the page (unpin_user_pages_dirty_lock()), and return. */
static int resume(struct vm *vm, unsigned int nr)
{
	int rc = missing_provide(&vm->local, nr, PATTERN | nr);

	if (rc)
		return rc;
	rc = call_end(&vm->slots[nr].call);
	/* Next time it is to be missing again. */
	missing_take(&vm->local, nr);
	return rc;
}

static int vm_hold(struct holder *holder, unsigned int nr, void *addr, size_t len)
{
	struct vm *vm = holder->priv;
	struct slot *slot = &vm->slots[nr];
	const char *name = writes(holder) ? "process_vm_writev" : "process_vm_readv";
	int rc;

	rc = call_end(&slot->call);
	if (rc)
		return rc;
	*slot = (struct slot){
		.local = { .iov_base = missing_page(&vm->local, nr), .iov_len = len },
		.remote = { .iov_base = addr, .iov_len = len },
		.write = writes(holder),
	};
	rc = call_start(&slot->call, name, rw, slot);
	if (rc)
		return rc;
	/* Positive control: the copy has got to the local page, so the DAX page is pinned. */
	rc = missing_wait(&vm->local, nr);
	if (rc != -ETIMEDOUT)
		return rc;
	/* It has not got there: it has failed, or is stuck before. */
	rc = resume(vm, nr) ?: call_check(&slot->call, len);
	return rc ?: why_set(ETIMEDOUT, "%s did not come to its copy in time", name);
}

static int vm_release(struct holder *holder, unsigned int nr)
{
	struct vm *vm = holder->priv;
	struct slot *slot = &vm->slots[nr];

	return resume(vm, nr) ?: call_check(&slot->call, slot->local.iov_len);
}

static __u64 vm_fills(unsigned int nr)
{
	return PATTERN | nr;
}

ROW(holders, struct holder_ops, vm_readv) = {
	.name = "vm_readv",
	.what = "process_vm_readv",
	.flags = HOLDER_PROMPT,
	.open = vm_open,
	.hold = vm_hold,
	.release = vm_release,
	.close = vm_close,
};

ROW(holders, struct holder_ops, vm_writev) = {
	.name = "vm_writev",
	.what = "process_vm_writev",
	.flags = HOLDER_PROMPT,
	.open = vm_open,
	.hold = vm_hold,
	.fills = vm_fills,
	.release = vm_release,
	.close = vm_close,
};
