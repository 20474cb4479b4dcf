// SPDX-License-Identifier: GPL-2.0
/*
 * process_vm_readv(2) and process_vm_writev(2), from and to our own process. They
 * pin the "remote" page, which is the DAX page, before they touch the "local" one
 * (mm/process_vm_access.c: process_vm_rw_single_vec(), pin_user_pages_remote(),
 * then process_vm_rw_pages()). The local page is missing, and a userfaultfd is asked
 * for it (fs/userfaultfd.c: handle_userfault()): the call sleeps in the middle of
 * its copy, page pinned, until we provide one. FOLL_PIN; for process_vm_writev with
 * FOLL_WRITE, and it is then that the kernel stores to the page, late as a device.
 *
 * The faults are the kernel's, which only some may have handled in user space:
 * CAP_SYS_PTRACE, or vm.unprivileged_userfaultfd=1. If we are killed the sleep ends,
 * and with it the call.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "call.h"
#include "deadline.h"
#include "holder.h"
#include "why.h"

#define PATTERN		0x766d5f7772697400ULL	/* in the low byte: the slot */

struct slot {
	struct call call;
	struct iovec local, remote;
	bool write;
};

struct vm {
	int uffd;
	size_t page_size;
	char *area;		/* a missing page for each slot */
	__u64 *page;		/* what it is provided with */
	struct slot slots[HOLDER_SLOTS];
};

static bool writes(const struct holder *holder)
{
	return holder->ops == &holder_vm_writev;
}

static ssize_t rw(void *arg)
{
	const struct slot *slot = arg;

	if (slot->write)
		return process_vm_writev(getpid(), &slot->local, 1, &slot->remote, 1, 0);
	return process_vm_readv(getpid(), &slot->local, 1, &slot->remote, 1, 0);
}

/* A call with nothing to copy does nothing but exist. */
static int probe(void)
{
	struct iovec none = { 0 };

	if (!process_vm_readv(getpid(), &none, 1, &none, 1, 0))
		return 0;
	return why_set(EOPNOTSUPP,
		       "no process_vm_readv: it takes a kernel with CONFIG_CROSS_MEMORY_ATTACH: %s",
		       strerror(errno));
}

static int open_uffd(struct vm *vm)
{
	struct uffdio_api api = { .api = UFFD_API };

	vm->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (vm->uffd < 0)
		return why_set(EOPNOTSUPP,
			       "no userfaultfd: it takes a kernel with CONFIG_USERFAULTFD, and root (or sysctl vm.unprivileged_userfaultfd=1): %s",
			       strerror(errno));
	if (ioctl(vm->uffd, UFFDIO_API, &api))
		return why_set(errno, "cannot use userfaultfd: %s", strerror(errno));
	return 0;
}

static int register_area(struct vm *vm)
{
	size_t size = HOLDER_SLOTS * vm->page_size;
	struct uffdio_register reg = {
		.range.len = size,
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	void *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	vm->page = malloc(vm->page_size);
	if (area == MAP_FAILED || !vm->page)
		return why_set(ENOMEM, "no memory for %d pages", HOLDER_SLOTS);
	vm->area = area;
	/* A huge page would do for all slots at once. */
	madvise(area, size, MADV_NOHUGEPAGE);
	reg.range.start = (uintptr_t)area;
	if (ioctl(vm->uffd, UFFDIO_REGISTER, &reg))
		return why_set(errno, "cannot register memory with userfaultfd: %s",
			       strerror(errno));
	return 0;
}

/* Ends what may still sleep after a failure, then frees all, unless that is in use. */
static void vm_close(struct holder *holder)
{
	struct vm *vm = holder->priv;

	if (vm->uffd >= 0)
		close(vm->uffd);
	for (unsigned int nr = 0; nr < HOLDER_SLOTS; nr++)
		if (call_end(&vm->slots[nr].call))
			return;
	if (vm->area)
		munmap(vm->area, HOLDER_SLOTS * vm->page_size);
	free(vm->page);
	free(vm);
}

static int vm_open(struct holder *holder)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	int rc;

	if (!vm)
		return why_set(ENOMEM, "no memory for calls");
	holder->priv = vm;
	vm->uffd = -1;
	vm->page_size = sysconf(_SC_PAGESIZE);
	rc = probe() ?: open_uffd(vm) ?: register_area(vm);
	if (rc)
		vm_close(holder);
	return rc;
}

/* Positive control: the copy has got to the local page, so the other one is pinned. */
static int wait_fault(struct vm *vm, const struct iovec *local)
{
	struct pollfd pfd = { .fd = vm->uffd, .events = POLLIN };
	uintptr_t start = (uintptr_t)local->iov_base;
	long deadline = deadline_in(DEADLINE_MS);
	struct uffd_msg msg;

	while (poll(&pfd, 1, deadline_left(deadline)) > 0) {
		if (read(vm->uffd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		if (msg.event == UFFD_EVENT_PAGEFAULT && msg.arg.pagefault.address >= start &&
		    msg.arg.pagefault.address < start + local->iov_len)
			return 0;
		return why_set(EIO, "a userfaultfd event that nobody expects: %#x", msg.event);
	}
	return -ETIMEDOUT;
}

/* The call copies and returns: the page is released (unpin_user_pages_dirty_lock()). */
static int resume(struct vm *vm, unsigned int nr)
{
	struct slot *slot = &vm->slots[nr];
	struct uffdio_copy copy = {
		.dst = (uintptr_t)slot->local.iov_base,
		.src = (uintptr_t)vm->page,
		.len = vm->page_size,
	};
	int rc;

	for (size_t i = 0; i < vm->page_size / sizeof(*vm->page); i++)
		vm->page[i] = PATTERN | nr;
	if (ioctl(vm->uffd, UFFDIO_COPY, &copy))
		return why_set(errno, "cannot provide a page by userfaultfd: %s", strerror(errno));
	rc = call_end(&slot->call);
	/* Missing again, for the next time. */
	madvise(slot->local.iov_base, vm->page_size, MADV_DONTNEED);
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
		.local = { .iov_base = vm->area + nr * vm->page_size, .iov_len = len },
		.remote = { .iov_base = addr, .iov_len = len },
		.write = writes(holder),
	};
	rc = call_start(&slot->call, name, rw, slot);
	if (rc)
		return rc;
	rc = wait_fault(vm, &slot->local);
	if (rc != -ETIMEDOUT)
		return rc;
	/* Not there: it has failed, or is stuck before it. */
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

const struct holder_ops holder_vm_readv = {
	.name = "vm_readv",
	.what = "process_vm_readv",
	.open = vm_open,
	.hold = vm_hold,
	.release = vm_release,
	.close = vm_close,
};

const struct holder_ops holder_vm_writev = {
	.name = "vm_writev",
	.what = "process_vm_writev",
	.open = vm_open,
	.hold = vm_hold,
	.fills = vm_fills,
	.release = vm_release,
	.close = vm_close,
};
