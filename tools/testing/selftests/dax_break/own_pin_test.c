// SPDX-License-Identifier: GPL-2.0
/*
 * P8, end of life: a task that has the last reference to a file and also the pin of a page
 * of that file gives up both. It must not wait for itself.
 *
 * A process has the only descriptor of a file without a name, and the only one of a FIFO
 * that holds a page of the file. It gives up both at once: it exits, is killed, or calls
 * close_range(2).
 *
 *	file_last	it has opened the file after the FIFO
 *	pin_last	it has opened the file before the FIFO
 *
 * What must be seen: the process ends. The order in which the two are closed is up to the
 * kernel. At present it begins with the one that was closed last (task_work_add(),
 * kernel/task_work.c, and __fput(), fs/file_table.c). If that is the file, its eviction
 * waits, since 6.15, for a page that the same task would release next
 * (dax_break_layout_final(), fs/dax.c).
 *
 * No other process has the FIFO open, so the pin goes with this one. But the FIFO has a
 * name: if the process waits for itself, the teardown can open the FIFO and empty it.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dax_break.h"

/* How a process gives up everything that it has open. */
struct way_out {
	const char *name;
	void (*run)(void);
};

struct self_pinned {
	const struct way_out *way;
	bool file_last;		/* opened after the FIFO, so closed after it */
	const char *dir;
	char fifo[64];
};

static int open_fifo(const struct self_pinned *task)
{
	return open(task->fifo, O_RDWR | O_CLOEXEC);
}

/* Returns a negative errno if the page could not be pinned. */
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
	task->way->run();
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

static const struct way_out ways_out[] = {
	{ "exit", by_exit },
	{ "close_range", by_close_range },
	{ "sigkill", by_sigkill },
};

FIXTURE(own_pin) {
	struct self_pinned task;
	struct waiter waiter;
};

FIXTURE_VARIANT(own_pin) {
	struct fs_op on;
	const struct way_out *way;
	bool file_last;
};

FIXTURE_SETUP(own_pin)
{
	struct self_pinned *task = &self->task;

	REQUIRE(return, testbed_require(variant->on.fs));
	task->way = variant->way;
	task->file_last = variant->file_last;
	task->dir = testbed_dir(variant->on.fs);
	snprintf(task->fifo, sizeof(task->fifo), "/tmp/dax_break.fifo.%d", getpid());
	ASSERT_EQ(0, mkfifo(task->fifo, 0600));
	REQUIRE(return, waiter_fork(&self->waiter, task->way->name, pin_and_end, task));
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
	/* Only the process itself could wake it up. */
	self->waiter.settled = true;
	ASSERT_ENDS(P8_END_OF_LIFE, &self->waiter,
		    "for a page that it has pinned itself and would release next");
	rc = waiter_result(&self->waiter);
	/* A process that has been killed cannot report its result. */
	ASSERT_TRUE(!rc || (variant->way->run == by_sigkill && rc == -ECHILD)) {
		TH_LOG("the page was not pinned: %s", strerror(-rc));
	}
}

static void add_ways_out(const struct fs_op *on, bool last)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways_out); i++) {
		const FIXTURE_VARIANT(own_pin) data = { *on, &ways_out[i], last };

		VARIANT_ADD_AS(own_pin, data, "%s_%s_last", data.way->name, last ? "file" : "pin");
	}
}

static void add_variants(void)
{
	for (struct cases c = cases_of_filesystems(0); cases_next(&c);) {
		add_ways_out(&c.on, false);
		add_ways_out(&c.on, true);
	}
}

DAX_BREAK_MAIN(.variants = add_variants)
