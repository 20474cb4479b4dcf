// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "finding.h"
#include "race/parts.h"

/* One request in so many is of more than one page. */
#define ONE_IN		4U
/* How long the gate holds a request at most: long enough for a victim to take the block. */
#define GATE_HOLD_US	100000

const struct race_thread *race_dma_wait(const struct race *race)
{
	unsigned long begun[RACE_THREADS] = { 0 };
	long deadline = deadline_in(DEADLINE_MS);

	for (unsigned int t = 0; t < race->nr_threads; t++)
		if (race->threads[t].role == RACE_DMA)
			begun[t] = race->threads[t].begun;
	for (unsigned int t = 0; t < race->nr_threads; t++)
		if (!race_wait_ended(&race->threads[t], begun[t], deadline_left(deadline)))
			return &race->threads[t];
	return NULL;
}

/* One request of a thread. */
struct dma {
	struct race_thread *thread;
	const struct race_source *source;
	unsigned int file, page, count;
	char *addr;
	size_t len;
	long result;
};

/* Where the data for these pages is in the source; in a small one, anywhere. */
static off_t source_offset(const struct dma *dma)
{
	const struct race_source *source = dma->source;
	unsigned int turns = source->pages / (RACE_FILES * RACE_PAGES);
	unsigned int index;

	if (source->gate)
		return gate_slot_offset(source->gate, dma->file);
	index = race_source_index(dma->file, dma->page,
				  turns ? race_random(dma->thread, turns) : 0);
	if (!turns)
		index %= source->pages - dma->count + 1;
	return (off_t)index * (dma->len / dma->count);
}

static long read_source(struct dma *dma)
{
	ssize_t n = pread(dma->source->fd, dma->addr, dma->len, source_offset(dma));

	return n < 0 ? -errno : n;
}

/* Checks what was written: a device, too, must read nothing but the file's data. */
static long write_out(struct dma *dma)
{
	size_t size = dma->len / dma->count;
	off_t sink = dma->source->sink + dma->thread->number * RACE_DMA_PAGES * size;
	ssize_t n = pwrite(dma->source->fd, dma->addr, dma->len, sink);
	char *buffer;

	if (n != (ssize_t)dma->len)
		return n < 0 ? -errno : n;
	buffer = race_page_buffer(dma->count);
	if (!buffer)
		return -ENOMEM;
	if (pread(dma->source->fd, buffer, dma->len, sink) == n)
		for (unsigned int i = 0; i < dma->count; i++)
			race_content_ok(dma->thread->race, dma->file, dma->page + i,
					buffer + i * size, "DMA");
	free(buffer);
	return n;
}

static void *submit_to_gate(void *arg)
{
	struct dma *dma = arg;

	dma->result = read_source(dma);
	return NULL;
}

/* The request may never reach the gate: the page may have lost its block. */
static long read_in(struct dma *dma)
{
	pthread_t thread;
	int rc;

	if (!dma->source->gate)
		return read_source(dma);
	rc = pthread_create(&thread, NULL, submit_to_gate, dma);
	if (rc)
		return -rc;
	race_pause(dma->thread, GATE_HOLD_US);
	while (pthread_tryjoin_np(thread, NULL)) {
		rc = gate_release(dma->source->gate, dma->file);
		if (rc && rc != -ENOENT)
			race_harm(dma->thread->race, 0, "%s", why());
		race_poll();
	}
	return dma->result;
}

static void account(struct dma *dma)
{
	struct race *race = dma->thread->race;

	if (dma->result > 0) {
		race_count(&race->result->dmas, 1);
		race_count(&race->result->dmas_from[dma->source->kind], 1);
		race_count(&race->result->bytes, dma->result);
	} else if (dma->result != -EFAULT) {
		/* EFAULT is no error: the page had no block, or was not mapped. */
		race_harm(race, P5_LOSES_NOTHING, "DMA with %s failed: %s", dma->source->name,
			  strerror(-dma->result));
	}
}

static void transfer(struct race_thread *thread)
{
	struct race *race = thread->race;
	struct dma dma = {
		.thread = thread,
		.source = thread->source,
		.file = race_random(thread, RACE_FILES),
	};
	struct race_file *file = &race->files[dma.file];
	bool out = dma.source->sink && (race->spec->mix->read_only || race_random(thread, 2));
	size_t size = file->file.page_size;

	dma.count = race_random(thread, ONE_IN) ? 1 : 1 + race_random(thread, RACE_DMA_PAGES);
	dma.page = race_random(thread, file->file.pages - dma.count + 1);
	dma.addr = file->maps[race_random(thread, RACE_MAPS)] + dma.page * size;
	dma.len = dma.count * size;
	race_begin(thread, out ? "DMA out of" : "DMA into", dma.file, dma.page, dma.count);
	atomic_fetch_add(&file->pins, 1);
	dma.result = out ? write_out(&dma) : read_in(&dma);
	atomic_fetch_sub(&file->pins, 1);
	race_end(thread, dma.result);
	account(&dma);
}

void race_dma_run(struct race_thread *thread)
{
	struct race *race = thread->race;

	while (!race->stop) {
		race_pause(thread, race->spec->delay_us[RACE_BEFORE_PIN]);
		if (race->no_dma)
			race_poll();
		else
			transfer(thread);
		race_pause(thread, race->spec->delay_us[RACE_AFTER_RELEASE]);
	}
}
