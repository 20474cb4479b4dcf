// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "deadline.h"
#include "finding.h"
#include "missing.h"

static int open_uffd(struct missing *missing)
{
	struct uffdio_api api = { .api = UFFD_API };

	missing->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (missing->uffd < 0)
		return why_set(EOPNOTSUPP,
			       "no userfaultfd: it takes a kernel with CONFIG_USERFAULTFD, and root (or sysctl vm.unprivileged_userfaultfd=1): %s",
			       strerror(errno));
	if (ioctl(missing->uffd, UFFDIO_API, &api))
		return why_set(errno, "cannot use userfaultfd: %s", strerror(errno));
	return 0;
}

static int register_area(struct missing *missing)
{
	size_t size = missing->pages * missing->page_size;
	struct uffdio_register reg = {
		.range.len = size,
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	void *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	missing->page = malloc(missing->page_size);
	if (area == MAP_FAILED || !missing->page)
		return why_set(ENOMEM, "no memory for %u pages", missing->pages);
	missing->area = area;
	/* One huge page would provide all of them at once. */
	madvise(area, size, MADV_NOHUGEPAGE);
	reg.range.start = (uintptr_t)area;
	if (ioctl(missing->uffd, UFFDIO_REGISTER, &reg))
		return why_set(errno, "cannot register memory with userfaultfd: %s",
			       strerror(errno));
	return 0;
}

int missing_open(struct missing *missing, unsigned int pages)
{
	*missing = (struct missing){
		.uffd = -1,
		.page_size = sysconf(_SC_PAGESIZE),
		.pages = pages,
	};
	return open_uffd(missing) ?: register_area(missing);
}

void *missing_page(const struct missing *missing, unsigned int page)
{
	return missing->area + page * missing->page_size;
}

int missing_wait(struct missing *missing, unsigned int page)
{
	struct pollfd pfd = { .fd = missing->uffd, .events = POLLIN };
	uintptr_t start = (uintptr_t)missing_page(missing, page);
	long deadline = deadline_in(DEADLINE_MS);
	struct uffd_msg msg;

	while (poll(&pfd, 1, deadline_left(deadline)) > 0) {
		if (read(missing->uffd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		if (msg.event == UFFD_EVENT_PAGEFAULT && msg.arg.pagefault.address >= start &&
		    msg.arg.pagefault.address < start + missing->page_size)
			return 0;
		return why_set(EIO, "a userfaultfd event that nobody expects: %#x", msg.event);
	}
	return why_set(ETIMEDOUT, "nobody asks for a missing page");
}

int missing_provide(struct missing *missing, unsigned int page, __u64 word)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)missing_page(missing, page),
		.src = (uintptr_t)missing->page,
		.len = missing->page_size,
	};

	for (size_t i = 0; i < missing->page_size / sizeof(word); i++)
		missing->page[i] = word;
	if (ioctl(missing->uffd, UFFDIO_COPY, &copy))
		return why_set(errno, "cannot provide a page by userfaultfd: %s", strerror(errno));
	return 0;
}

void missing_take(struct missing *missing, unsigned int page)
{
	madvise(missing_page(missing, page), missing->page_size, MADV_DONTNEED);
}

void missing_end(struct missing *missing)
{
	if (missing->uffd >= 0)
		close(missing->uffd);
	missing->uffd = -1;
}

void missing_close(struct missing *missing)
{
	missing_end(missing);
	if (missing->area)
		munmap(missing->area, missing->pages * missing->page_size);
	free(missing->page);
	missing->area = NULL;
	missing->page = NULL;
}
