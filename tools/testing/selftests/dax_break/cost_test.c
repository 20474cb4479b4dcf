// SPDX-License-Identifier: GPL-2.0
/*
 * P2, wakes: waiting for pinned pages costs nothing, and comes to an end even if there
 * is always one more pin.
 *
 *	cost	An operation on pages 1 and 2 of a file of four, page 1 pinned, is
 *		watched while it waits: it must sleep, without using the CPU or being
 *		woken over and over. Of two files, once each is the pinned one.
 *	stream	Pages 1 and 2 are the buffers of short I/O, over and over, by several
 *		threads. Their pins overlap, but every so often there is a gap: in one
 *		of these the operation must complete, within DEADLINE_MS.
 *
 * Filesystems lock two inodes by ascending number, and the second one cannot be
 * waited for with the first one locked: xfs_mmaplock_two_inodes_and_break_dax_layout(),
 * fs/xfs/xfs_inode.c. Why a stream does not starve a waiter: the inode lock stays
 * taken, so the pages are looked at again with faults locked out (fs/dax.c:
 * dax_break_layout()).
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dax_break.h"
#include "deadline.h"
#include "proc.h"

FIXTURE(cost) {
	struct trial trial;
};

FIXTURE_VARIANT(cost) {
	const char *fs, *op;
	bool higher;
};

FIXTURE_SETUP(cost)
{
	const struct trial_spec spec = {
		.fs = variant->fs,
		.op = variant->op,
		.holder = "vmsplice",
		.higher = variant->higher,
	};

	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(cost)
{
	trial_teardown(_metadata, &self->trial);
}

TEST_F(cost, sleeps)
{
	struct trial *trial = &self->trial;

	REQUIRE(return, trial_hold(trial, 1));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	ASSERT_BLOCKED(trial, waiter_watch);
	REQUIRE(return, trial_release(trial, 1));
	ASSERT_COMPLETES(trial);
}

#define THREADS	2U
/* Pins that a stream takes during the wait, and as many after the operation. */
#define ENOUGH	50
/* A page is the buffer of so many pieces of one I/O: it takes its time. */
#define PIECES	32
/* So many pins of each thread, then a gap. */
#define ROUND	8

struct stream {
	const struct source *source;
	const struct dax_file *file;
	int plain;		/* of a file that is not DAX, by O_DIRECT */
	const struct waiter *waiter;
	pthread_barrier_t round;
	atomic_uint pins;
	atomic_bool stop;
	bool over;		/* as agreed on in a gap */
};

struct source {
	const char *name;
	/* Pins pages 1 and 2 for a moment; false: could not. */
	bool (*pin)(const struct stream *stream);
};

/* Until the pipe is closed. */
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

/* Until the device, which is the same memory, has done it. */
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
	const char *fs, *op;
	const struct source *source;
};

/* The threads are between two of these when they pause, so nobody pins anything. */
static bool meet(struct stream *stream)
{
	return pthread_barrier_wait(&stream->round) == PTHREAD_BARRIER_SERIAL_THREAD;
}

/*
 * The last of the pins has woken the waiter, if it was to be woken at all: it is runnable
 * until it has had its turn, however late that comes on a machine that is busy.
 */
static void gap(const struct stream *stream)
{
	long deadline = deadline_in(DEADLINE_MS);

	while (proc_task(stream->waiter->pid).state == 'R' && !deadline_over(deadline))
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

static int open_plain(struct dax_file *plain, const char *fs, int *fd)
{
	const struct dax_file_spec spec = {
		.dir = testbed_plain_dir(fs), .pages = PIECES, .plain = true,
	};
	int rc = dax_file_create(plain, &spec);

	return rc ?: dax_file_open_direct(plain, fd);
}

FIXTURE_SETUP(stream)
{
	const struct trial_spec spec = {
		.fs = variant->fs,
		.op = variant->op,
		.holder = "vmsplice",
	};

	self->stream.source = variant->source;
	self->stream.plain = -1;
	pthread_barrier_init(&self->stream.round, NULL, THREADS);
	REQUIRE(return, trial_setup(&self->trial, &spec));
	REQUIRE(return, open_plain(&self->plain, variant->fs, &self->stream.plain));
	self->stream.file = &self->trial.file;
	self->stream.waiter = &self->trial.waiter;
}

FIXTURE_TEARDOWN(stream)
{
	/* Whatever a thread may be waiting for by mistake, it ends with the pin. */
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
	ASSERT_BLOCKED(trial, waiter_observe);
	ASSERT_TRUE(flows(&self->stream)) {
		TH_LOG("P3 broken: during the wait of %s, pages cannot be pinned by %s",
		       trial->op->name, self->stream.source->name);
	}
	REQUIRE(return, trial_release(trial, 1));
	trial->note = "for more than a moment";
	ASSERT_COMPLETES(trial);
	ASSERT_TRUE(flows(&self->stream)) {
		TH_LOG("the stream has ended, after %u pins", atomic_load(&self->stream.pins));
	}
}

#include "aftermath_fixture.h"

int main(int argc, char **argv)
{
	for (const struct filesystem *fs = filesystems; fs->name; fs++) {
		for (const struct op *op = ops; op->name; op++) {
			const FIXTURE_VARIANT(cost) lower = { fs->name, op->name, false };
			const FIXTURE_VARIANT(cost) higher = { fs->name, op->name, true };

			if (!op_is_for(op, fs->name) || (op->flags & (OP_SPARES | OP_RARE)))
				continue;
			VARIANT_ADD(cost, lower, "%s_%s", fs->name, op->name);
			if ((op->flags & OP_PEER) && !(op->flags & OP_EVICTS))
				VARIANT_ADD(cost, higher, "%s_%s_higher", fs->name, op->name);
		}
		for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
			const FIXTURE_VARIANT(stream) data = { fs->name, "zero", &sources[i] };

			VARIANT_ADD(stream, data, "%s_zero_%s", fs->name, sources[i].name);
		}
	}
	return dax_break_main(argc, argv);
}
