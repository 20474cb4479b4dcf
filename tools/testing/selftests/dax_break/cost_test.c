// SPDX-License-Identifier: GPL-2.0
/*
 * P2, wakes: waiting for pinned pages costs nothing, and comes to an end even if there
 * is always one more pin.
 *
 *	cost	An operation on pages 1 and 2 of a file of four, page 1 pinned, is
 *		watched while it waits: it must sleep, without using the CPU or being
 *		woken over and over. With two files, each is pinned in turn.
 *	stream	Several threads use pages 1 and 2 as buffers of short I/O, over and over.
 *		Their pins overlap, but every so often there is a gap: the operation must
 *		complete in one of these gaps, within DEADLINE_MS.
 *
 * Filesystems lock two inodes in ascending order, and must not wait for pages of the
 * second one with the first one locked: xfs_mmaplock_two_inodes_and_break_dax_layout(),
 * fs/xfs/xfs_inode.c. A stream does not starve a waiter, because the waiter keeps the inode
 * lock, and looks at the pages again with faults locked out (dax_break_layout(), fs/dax.c).
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dax_break.h"
#include "deadline.h"

TRIAL_FIXTURE(cost);

TEST_F(cost, sleeps)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, trial_hold(trial, 1));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	ASSERT_STAYS_BLOCKED(trial);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
}

#define THREADS	2U
/* Pins that a stream takes during the wait, and as many after the operation. */
#define ENOUGH	50
/* One I/O uses the pages as buffers so many times, so that it takes a while. */
#define PIECES	32
/* How many pins each thread takes between two gaps. */
#define ROUND	8

struct stream {
	const struct source *source;
	const struct dax_file *file;
	int plain;		/* of a file that is not DAX, by O_DIRECT */
	const struct waiter *waiter;
	pthread_barrier_t round;
	atomic_uint pins;
	atomic_bool stop;
	bool over;		/* the threads agree on this in a gap */
};

struct source {
	const char *name;
	/* Pins pages 1 and 2 for a moment. False: it could not. */
	bool (*pin)(const struct stream *stream);
};

/* The pins last until the pipe is closed. */
static bool by_vmsplice(const struct stream *stream)
{
	size_t len = stream->file->page_size;
	struct iovec iov = { dax_file_page(stream->file, 1), 2 * len };
	int fds[2];
	bool done;

	if (pipe2(fds, O_CLOEXEC))
		return false;
	done = vmsplice(fds[1], &iov, 1, SPLICE_F_NONBLOCK) > 0;
	deadline_pause();
	close(fds[0]);
	close(fds[1]);
	return done;
}

/* The pins last until the device, which is the same memory, has done the I/O. */
static bool by_dio(const struct stream *stream)
{
	size_t len = stream->file->page_size;
	struct iovec iov[PIECES];

	for (int i = 0; i < PIECES; i++)
		iov[i] = (struct iovec){ dax_file_page(stream->file, 1 + i % 2), len };
	return pwritev(stream->plain, iov, PIECES, 0) > 0;
}

static const struct source sources[] = {
	{ "vmsplice", by_vmsplice },
	{ "dio", by_dio },
};

FIXTURE(stream) {
	struct trial trial;
	struct dax_file plain;
	struct stream stream;
	pthread_t threads[THREADS];
	unsigned int running;
};

FIXTURE_VARIANT(stream) {
	struct fs_op on;
	const struct source *source;
};

/* Threads pause between two of these, when none of them has anything pinned. */
static bool meet(struct stream *stream)
{
	return pthread_barrier_wait(&stream->round) == PTHREAD_BARRIER_SERIAL_THREAD;
}

/*
 * The end of the last pin has woken the waiter, if anything wakes it at all. It is then
 * runnable until it has had its turn, however late that comes on a busy machine.
 */
static void gap(const struct stream *stream)
{
	long deadline = deadline_in(DEADLINE_MS);

	while (waiter_is_running(stream->waiter) && !deadline_over(deadline))
		deadline_pause();
}

static void *run_stream(void *arg)
{
	struct stream *stream = arg;

	do {
		for (int i = 0; i < ROUND; i++)
			if (stream->source->pin(stream))
				atomic_fetch_add(&stream->pins, 1);
		if (meet(stream))
			stream->over = atomic_load(&stream->stop);
		gap(stream);
		meet(stream);
	} while (!stream->over);
	return NULL;
}

static int open_plain(struct dax_file *plain, const struct filesystem *fs, int *fd)
{
	const struct dax_file_spec spec = {
		.dir = testbed_plain_dir(fs), .pages = PIECES, .plain = true,
	};
	int rc = dax_file_create(plain, &spec);

	return rc ?: dax_file_open_direct(plain, fd);
}

FIXTURE_SETUP(stream)
{
	const struct trial_spec spec = { .on = variant->on };

	self->stream.source = variant->source;
	self->stream.plain = -1;
	pthread_barrier_init(&self->stream.round, NULL, THREADS);
	REQUIRE(return, trial_setup(&self->trial, &spec));
	REQUIRE(return, open_plain(&self->plain, variant->on.fs, &self->stream.plain));
	self->stream.file = &self->trial.file;
	self->stream.waiter = &self->trial.waiter;
}

FIXTURE_TEARDOWN(stream)
{
	/* If a thread waits for something by mistake, that ends when the pin goes. */
	holder_close(&self->trial.holder);
	atomic_store(&self->stream.stop, true);
	while (self->running)
		pthread_join(self->threads[--self->running], NULL);
	trial_teardown(_metadata, &self->trial);
	close(self->stream.plain);
	dax_file_close(&self->plain, false);
}

static bool flows(struct stream *stream)
{
	unsigned int enough = atomic_load(&stream->pins) + ENOUGH;
	long deadline = deadline_in(DEADLINE_MS);

	while (atomic_load(&stream->pins) < enough && !deadline_over(deadline))
		deadline_pause();
	return atomic_load(&stream->pins) >= enough;
}

TEST_F(stream, of_short_pins)
{
	struct trial *trial = &self->trial;

	while (self->running < THREADS &&
	       !pthread_create(&self->threads[self->running], NULL, run_stream,
			       &self->stream))
		self->running++;
	ASSERT_EQ(THREADS, self->running);
	/* Page 1 is pinned once more, until the operation waits and the stream goes on. */
	REQUIRE(return, trial_hold(trial, 1));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	ASSERT_TRUE(flows(&self->stream)) {
		BROKEN(P3_YIELDS, "during the wait of %s, pages cannot be pinned by %s",
		       trial->op->name, self->stream.source->name);
	}
	REQUIRE(return, trial_release(trial, 1));
	trial->waiter.settled = false;	/* it is the stream that wakes it up, sooner or later */
	trial_situation(trial, "for more than a moment");
	ASSERT_COMPLETES(trial);
	ASSERT_TRUE(flows(&self->stream)) {
		TH_LOG("the stream has ended, after %u pins", atomic_load(&self->stream.pins));
	}
}

/* With two files, the one with the lower inode number is pinned first, then the other. */
static void add_variants(void)
{
	VARIANTS_OF_OPS(cost, 0, 0, OP_SPARES);
	for (struct cases c = cases_of_ops(0, OP_PEER, OP_SPARES | OP_EVICTS); cases_next(&c);) {
		const FIXTURE_VARIANT(cost) data = { .on = c.on, .higher = true };

		VARIANT_ADD_AS(cost, data, "higher");
	}
	for (struct cases c = cases_of_filesystems(0); cases_next(&c);)
		for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
			const FIXTURE_VARIANT(stream) data = {
				{ c.on.fs, op_find("zero") }, &sources[i],
			};

			VARIANT_ADD_AS(stream, data, "%s", sources[i].name);
		}
}

DAX_BREAK_MAIN(.variants = add_variants)
