// SPDX-License-Identifier: GPL-2.0
/*
 * Direct I/O on a FUSE file: the page is the buffer of a read or a write that is answered
 * when the test says so. The kernel takes the pin, FOLL_PIN (in older kernels FOLL_GET),
 * before it sends the request, and keeps it until the answer (fs/fuse/file.c:
 * fuse_direct_io(), fuse_get_user_pages()). The answer to a read stores to the page
 * (fs/fuse/dev.c: fuse_dev_do_write()); a write is copied from the page when we receive
 * the request, before the test goes on.
 *
 * We are the FUSE server, by /dev/fuse. The filesystem is a directory with one file for
 * each slot, because writers of the same file would wait for each other. It is mounted
 * nowhere: only a file descriptor keeps it. Requests are served while hold() waits for
 * its own to arrive; apart from those that hold pages, none is ever left unanswered.
 *
 * If we are killed, the thread that waits for an answer dies only after the end of our
 * /dev/fuse has ended its request. So the thread must not keep /dev/fuse open itself, and
 * has a file descriptor table of its own. Nor must we wait for the thread to dump core. A
 * child that is forked later inherits /dev/fuse and keeps the reference alive, so fork
 * first.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/fuse.h>

#include "base/rows.h"
#include "call.h"
#include "deadline.h"
#include "finding.h"
#include "holder.h"

#define PATTERN		0x667573655f726400ULL	/* in the low byte: the slot */
#define FIRST_NODE	(FUSE_ROOT_ID + 1)	/* the file of slot 0; the others follow */
#define FOREVER		1000000			/* seconds: what is cached never changes */

struct slot {
	struct call call;
	unsigned int nr;
	int root;		/* the directory */
	bool write;
	void *addr;
	size_t len;
	__u64 request;		/* the number of the request that holds the page; 0: none */
};

struct fuse {
	int dev;
	int root;
	size_t page_size;
	__u64 *page;		/* the answer to a read */
	size_t buffer_size;
	char *buffer;		/* receives requests */
	struct slot slots[HOLDER_SLOTS];
};

/* Of the two, only the read fills the page. */
static bool writes(const struct holder *holder)
{
	return !holder->ops->fills;
}

static int reply(struct fuse *fuse, __u64 request, int error, void *data, size_t len)
{
	struct fuse_out_header head = {
		.len = sizeof(head) + len,
		.error = -error,
		.unique = request,
	};
	struct iovec iov[] = { { &head, sizeof(head) }, { data, len } };

	if (writev(fuse->dev, iov, ARRAY_SIZE(iov)) == (ssize_t)head.len)
		return 0;
	return why_set(errno, "cannot answer a FUSE request: %m");
}

static int reply_init(struct fuse *fuse, const struct fuse_in_header *head)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = fuse->page_size,
		.time_gran = 1,
	};

	return reply(fuse, head->unique, 0, &init, sizeof(init));
}

/* The name of a file is the number of its slot. */
static int reply_lookup(struct fuse *fuse, const struct fuse_in_header *head, const char *name)
{
	unsigned int nr = strtoul(name, NULL, 10);
	struct fuse_entry_out entry = {
		.nodeid = FIRST_NODE + nr,
		.entry_valid = FOREVER,
		.attr_valid = FOREVER,
		.attr = {
			.ino = FIRST_NODE + nr,
			.size = fuse->page_size,
			.mode = S_IFREG | 0600,
			.nlink = 1,
			.blksize = fuse->page_size,
		},
	};

	return reply(fuse, head->unique, 0, &entry, sizeof(entry));
}

/* No FLUSH when the thread's file is closed: we might not be there to answer it. */
static int reply_open(struct fuse *fuse, const struct fuse_in_header *head)
{
	struct fuse_open_out out = { .open_flags = FOPEN_DIRECT_IO | FOPEN_NOFLUSH };

	return reply(fuse, head->unique, 0, &out, sizeof(out));
}

/* Leaves a request unanswered. Positive control: it is for the whole page. */
static int keep(struct fuse *fuse, const struct fuse_in_header *head, size_t size)
{
	struct slot *slot;

	if (head->nodeid < FIRST_NODE || head->nodeid >= FIRST_NODE + HOLDER_SLOTS)
		return why_set(EIO, "a FUSE request for a file that does not exist");
	slot = &fuse->slots[head->nodeid - FIRST_NODE];
	if (size != slot->len)
		return why_set(EIO, "FUSE asks for %zu bytes of a page of %zu", size, slot->len);
	slot->request = head->unique;
	return 0;
}

static int serve(struct fuse *fuse)
{
	struct fuse_in_header *head = (void *)fuse->buffer;
	void *arg = head + 1;
	ssize_t n = read(fuse->dev, fuse->buffer, fuse->buffer_size);

	/* ENOENT: the kernel withdrew the request while we read it. */
	if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOENT))
		return 0;
	if (n < (ssize_t)sizeof(*head))
		return why_set(n < 0 ? errno : EIO, "cannot receive a FUSE request: %s",
			       strerror(n < 0 ? errno : EIO));
	switch (head->opcode) {
	case FUSE_INIT:
		return reply_init(fuse, head);
	case FUSE_LOOKUP:
		return reply_lookup(fuse, head, arg);
	case FUSE_OPEN:
		return reply_open(fuse, head);
	case FUSE_READ:
		return keep(fuse, head, ((struct fuse_read_in *)arg)->size);
	case FUSE_WRITE:
		return keep(fuse, head, ((struct fuse_write_in *)arg)->size);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		/*
		 * These take no answer. The thread gets no signals, so nothing is
		 * interrupted.
		 */
		return 0;
	default:
		return reply(fuse, head->unique, EOPNOTSUPP, NULL, 0);
	}
}

/* Serves the next request; -ETIMEDOUT if there is none in time. */
static int await(struct fuse *fuse, long deadline)
{
	struct pollfd pfd = { .fd = fuse->dev, .events = POLLIN };

	if (poll(&pfd, 1, deadline_left(deadline)) > 0)
		return serve(fuse);
	if (deadline_over(deadline))
		return why_set(ETIMEDOUT, "a FUSE request does not arrive");
	return 0;
}

static int open_device(struct fuse *fuse)
{
	fuse->dev = open("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fuse->dev >= 0)
		return 0;
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO || errno == EACCES)
		return why_set(EOPNOTSUPP,
			       "no /dev/fuse to use: it takes root and a kernel with CONFIG_FUSE_FS (modprobe fuse): %m");
	return why_set(errno, "cannot open /dev/fuse: %m");
}

static int mount_nowhere(struct fuse *fuse)
{
	int fs = fsopen("fuse", FSOPEN_CLOEXEC);
	char dev[16];
	int rc = 0;

	if (fs < 0)
		return why_set(EOPNOTSUPP,
			       "cannot mount FUSE: it takes root, Linux 5.2 and CONFIG_FUSE_FS (modprobe fuse): %m");
	snprintf(dev, sizeof(dev), "%d", fuse->dev);
	if (!fsconfig(fs, FSCONFIG_SET_STRING, "fd", dev, 0) &&
	    !fsconfig(fs, FSCONFIG_SET_STRING, "rootmode", "40000", 0) &&
	    !fsconfig(fs, FSCONFIG_SET_STRING, "user_id", "0", 0) &&
	    !fsconfig(fs, FSCONFIG_SET_STRING, "group_id", "0", 0) &&
	    !fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		fuse->root = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (fuse->root < 0)
		rc = why_set(errno == EPERM ? EOPNOTSUPP : errno, "cannot mount FUSE%s: %m",
			     errno == EPERM ? ", it takes root" : "");
	close(fs);
	return rc;
}

/*
 * Closing the device ends the calls that still wait for an answer. Leaves the memory
 * behind if one does not end, since it uses it.
 */
static void fuse_close(struct holder *holder)
{
	struct fuse *fuse = holder->priv;

	if (fuse->dev >= 0)
		close(fuse->dev);
	if (fuse->root >= 0)
		close(fuse->root);
	for (unsigned int nr = 0; nr < HOLDER_SLOTS; nr++)
		if (call_end(&fuse->slots[nr].call))
			return;
	free(fuse->page);
	free(fuse->buffer);
	free(fuse);
}

static int fuse_open(struct holder *holder)
{
	struct fuse *fuse = calloc(1, sizeof(*fuse));
	int rc;

	if (!fuse)
		return why_set(ENOMEM, "no memory for requests");
	holder->priv = fuse;
	fuse->dev = -1;
	fuse->root = -1;
	fuse->page_size = sysconf(_SC_PAGESIZE);
	/* The kernel insists on room for its largest request, and on 8 KiB. */
	fuse->buffer_size = fuse->page_size + FUSE_MIN_READ_BUFFER;
	fuse->buffer = malloc(fuse->buffer_size);
	fuse->page = malloc(fuse->page_size);
	if (!fuse->buffer || !fuse->page)
		rc = why_set(ENOMEM, "no memory for requests");
	else
		rc = open_device(fuse) ?: mount_nowhere(fuse);
	/* The mount has sent INIT, so it is there already. */
	rc = rc ?: await(fuse, deadline_in(DEADLINE_MS));
	/* To dump core, a crash would wait for all threads, with our files still open. */
	if (!rc && prctl(PR_SET_DUMPABLE, 0))
		rc = why_set(errno, "cannot turn core dumps off: %m");
	if (rc)
		fuse_close(holder);
	return rc;
}

/* The file is left open: it goes with the thread, whose table of files it is in. */
static ssize_t transfer(void *arg)
{
	const struct slot *slot = arg;
	char name[16];
	int fd;

	if (close_range(slot->root + 1, ~0U, CLOSE_RANGE_UNSHARE) ||
	    close_range(0, slot->root - 1, 0))
		return -1;
	snprintf(name, sizeof(name), "%u", slot->nr);
	fd = openat(slot->root, name, O_RDWR);
	if (fd < 0)
		return -1;
	return slot->write ? pwrite(fd, slot->addr, slot->len, 0) :
			     pread(fd, slot->addr, slot->len, 0);
}

static int fuse_hold(struct holder *holder, unsigned int nr, void *addr, size_t len)
{
	struct fuse *fuse = holder->priv;
	struct slot *slot = &fuse->slots[nr];
	long deadline = deadline_in(DEADLINE_MS);
	int rc;

	rc = call_end(&slot->call);
	if (rc)
		return rc;
	*slot = (struct slot){
		.nr = nr,
		.root = fuse->root,
		.write = writes(holder),
		.addr = addr,
		.len = len,
	};
	rc = call_start(&slot->call, slot->write ? "a FUSE write" : "a FUSE read", transfer, slot);
	while (!rc && !slot->request)
		rc = await(fuse, deadline);
	return rc;
}

/* The answer makes the call release the page (fuse_release_user_pages()) and return. */
static int fuse_release(struct holder *holder, unsigned int nr)
{
	struct fuse *fuse = holder->priv;
	struct slot *slot = &fuse->slots[nr];
	struct fuse_write_out written = { .size = slot->len };
	int rc;

	for (size_t i = 0; i < fuse->page_size / sizeof(*fuse->page); i++)
		fuse->page[i] = PATTERN | nr;
	if (slot->write)
		rc = reply(fuse, slot->request, 0, &written, sizeof(written));
	else
		rc = reply(fuse, slot->request, 0, fuse->page, slot->len);
	return rc ?: call_end(&slot->call) ?: call_check(&slot->call, slot->len);
}

static __u64 fuse_fills(unsigned int nr)
{
	return PATTERN | nr;
}

ROW(holders, struct holder_ops, fuse_read) = {
	.name = "fuse_read",
	.what = "a direct read of a FUSE file",
	.flags = HOLDER_DEVICE_ELSE | HOLDER_BATCH,
	.open = fuse_open,
	.hold = fuse_hold,
	.fills = fuse_fills,
	.release = fuse_release,
	.close = fuse_close,
};

ROW(holders, struct holder_ops, fuse_write) = {
	.name = "fuse_write",
	.what = "a direct write to a FUSE file",
	.open = fuse_open,
	.hold = fuse_hold,
	.release = fuse_release,
	.close = fuse_close,
};
