// SPDX-License-Identifier: GPL-2.0
/*
 * P8, end of life: a task that ends owns the last reference to a file, and the pin of a
 * page of it as well. It must not wait for itself.
 *
 * A process has the only descriptor of a file without a name and of a FIFO, in which is a
 * page of the file, and gives up both by one system call:
 *
 *	file_last	the file was opened after the FIFO
 *	pin_last	before it
 *
 * Seen must be: it ends. In which order the kernel gets to the two is its own business:
 * the last closed first, as of now (task_work_add(), kernel/task_work.c, __fput() of
 * fs/file_table.c), so if the file is the last, its eviction waits for a page that would
 * be released next, since 6.15 (dax_break_layout_final(), fs/dax.c).
 *
 * Nobody else has the FIFO open, so that the pin goes with the process; but it has a name,
 * by which we can open and empty it if it has come to that.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dax_break.h"

struct self_pinned {
	const char *dir;
	char fifo[64];
	bool file_last;
	void (*end)(void);
};

FIXTURE(own_pin) {
	struct self_pinned task;
	struct waiter waiter;
};

FIXTURE_VARIANT(own_pin) {
	const char *fs;
	bool file_last;		/* opened after the FIFO, so closed after it */
	const char *name;
	void (*end)(void);
};

static int open_fifo(const struct self_pinned *task)
{
	return open(task->fifo, O_RDWR | O_CLOEXEC);
}

/* Returns a negative errno if it comes to nothing. */
static int pin_and_end(void *arg)
{
	const struct self_pinned *task = arg;
	size_t len = sysconf(_SC_PAGESIZE);
	struct iovec iov = { .iov_len = len };
	int fifo = task->file_last ? open_fifo(task) : -1;
	int file = open(task->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (!task->file_last)
		fifo = open_fifo(task);
	if (file < 0 || fifo < 0 || pwrite(file, "x", 1, len - 1) != 1)
		return -errno;
	iov.iov_base = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (iov.iov_base == MAP_FAILED)
		return -errno;
	if (vmsplice(fifo, &iov, 1, SPLICE_F_NONBLOCK) != (ssize_t)len || munmap(iov.iov_base, len))
		return -errno;
	task->end();
	return 0;
}

static void by_exit(void)
{
	_exit(0);
}

static void by_close_range(void)
{
	close_range(STDERR_FILENO + 1, ~0U, 0);
}

static void by_sigkill(void)
{
	kill(getpid(), SIGKILL);
}

FIXTURE_SETUP(own_pin)
{
	struct self_pinned *task = &self->task;

	task->dir = testbed_dir(variant->fs);
	task->file_last = variant->file_last;
	task->end = variant->end;
	if (!task->dir)
		SKIP(return, "no %s here: it is not in DAX_BREAK_FS", variant->fs);
	snprintf(task->fifo, sizeof(task->fifo), "/tmp/dax_break.fifo.%d", getpid());
	ASSERT_EQ(0, mkfifo(task->fifo, 0600));
	REQUIRE(return, waiter_fork(&self->waiter, variant->name, pin_and_end, task));
}

static void empty(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char buf[65536];

	while (fd >= 0 && read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
}

FIXTURE_TEARDOWN(own_pin)
{
	empty(self->task.fifo);
	if (!waiter_end(&self->waiter))
		fprintf(stderr, "# left behind: process %d\n", self->waiter.pid);
	unlink(self->task.fifo);
	expect_quiet(_metadata);
}

TEST_F(own_pin, ends)
{
	int rc;

	waiter_start(&self->waiter);
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(&self->waiter)) {
		TH_LOG("P8 broken: %s, for a page that it has pinned itself and would release next",
		       waiter_describe(&self->waiter));
	}
	rc = waiter_result(&self->waiter);
	/* Killed, it cannot say. */
	ASSERT_TRUE(!rc || (variant->end == by_sigkill && rc == -ECHILD)) {
		TH_LOG("the page was not pinned: %s", strerror(-rc));
	}
}

static const struct {
	const char *name;
	void (*end)(void);
} ends[] = {
	{ "exit", by_exit },
	{ "close_range", by_close_range },
	{ "sigkill", by_sigkill },
};

static void add_variants(const char *fs, bool last)
{
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		const FIXTURE_VARIANT(own_pin) data = { fs, last, ends[i].name, ends[i].end };

		VARIANT_ADD(own_pin, data, "%s_%s_%s_last", fs, data.name, last ? "file" : "pin");
	}
}

#include "aftermath_fixture.h"

int main(int argc, char **argv)
{
	for (const struct filesystem *fs = filesystems; fs->name; fs++) {
		add_variants(fs->name, false);
		add_variants(fs->name, true);
	}
	return dax_break_main(argc, argv);
}
