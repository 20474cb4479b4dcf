// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deadline.h"
#include "finding.h"
#include "race/parts.h"

/* Most ranges are of at most so many pages; one in so many is of any size. */
#define SMALL		8U
#define ONE_IN		4U
/* How long an operation waits for DMA to begin. */
#define MEET_MS		20

const struct race_mix race_mixes[] = {
	{ .name = "blocks", .without = OP_PEER | OP_WITHIN | OP_EVICTS | OP_RARE | OP_URING },
	{ .name = "evict", .any = OP_EVICTS, .without = OP_UNMOUNTS | OP_RARE },
	{ .name = "exchange", .needs = FS_EXCHANGE, .any = OP_EXCHANGES, .without = OP_RARE,
	  .pairs = true },
	/* An operation that falls back to copying would write to shared pages. */
	{ .name = "share", .needs = FS_REFLINK, .any = OP_PEER | OP_WITHIN,
	  .without = OP_RARE | OP_EVICTS | OP_FALLS_BACK | OP_EXCHANGES, .pairs = true,
	  .read_only = true },
	{ .name = NULL },
};

const struct race_mix *race_mix_find(const char *name)
{
	for (const struct race_mix *mix = race_mixes; mix->name; mix++)
		if (!strcmp(mix->name, name))
			return mix;
	return NULL;
}

int race_choose_ops(struct race *race)
{
	const struct race_mix *mix = race->spec->mix;
	const struct filesystem *fs = race->spec->fs;

	for (const struct op *op = NULL;
	     (op = op_next(op)) && race->nr_ops < ARRAY_SIZE(race->ops);) {
		int rc;

		if (!op_is_for(op, fs) || (op->flags & mix->without) ||
		    (mix->any && !(op->flags & mix->any)))
			continue;
		rc = op_probe(op, fs);
		if (!rc)
			race->ops[race->nr_ops++] = op;
		else if (rc != -EOPNOTSUPP)
			return rc;
	}
	return race->nr_ops ? 0 : why_set(EOPNOTSUPP, "the kernel has none of the operations");
}

/* A range that operations with these @flags take; the smallest file has @pages. */
static void choose_range(struct race_thread *thread, unsigned int flags, unsigned int pages,
			 size_t page_size, struct op_target *target)
{
	unsigned int most = pages - !!(flags & OP_WHOLE_PAGES), page, count;

	if (flags & OP_WITHIN)
		most /= 2;
	if (race_random(thread, ONE_IN) && most > SMALL)
		count = 1 + race_random(thread, SMALL);
	else
		count = 1 + race_random(thread, most);
	page = race_random(thread, most - count + 1);
	target->start = page * page_size;
	target->len = count * page_size;
	/* Only whole words: a part of one cannot be recognized. */
	if ((flags & OP_BYTES) && race_random(thread, 2)) {
		target->start += race_random(thread, page_size / 16) * sizeof(__u64);
		target->len -= page_size / 2 + race_random(thread, page_size / 16) * sizeof(__u64);
	}
}

/* Waits until DMA for the file is under way, if possible one request, and a bit longer. */
static void meet(struct race_thread *thread, struct race_file *file)
{
	long deadline = deadline_in(MEET_MS);

	file->wanted = true;
	while (file->pins != 1 && !deadline_over(deadline) && !thread->race->stop)
		race_poll();
	race_pause(thread, thread->race->spec->delay_us[RACE_SUBMIT_TO_OP]);
}

static int run(struct race_thread *thread, const struct op *op, unsigned int number,
	       const struct op_target *target)
{
	struct race *race = thread->race;
	struct race_file *file = &race->files[number];
	unsigned int page = 0, count = file->file.pages;
	int rc;

	if (op->reach != OP_WHOLE) {
		page = target->start / file->file.page_size;
		count -= page;
	}
	if (op->reach == OP_RANGE)
		count = (target->len + file->file.page_size - 1) / file->file.page_size;
	race_count(&race->result->operations, 1);
	if (file->pins)
		race_count(&race->result->overlaps, 1);
	race_begin(thread, op->name, number, page, count);
	rc = op_run(op, target);
	file->wanted = false;
	race_end(thread, rc);
	if (rc && rc != -ENOSPC)
		race_harm(race, P5_LOSES_NOTHING, "%s failed: %s", op->name, strerror(-rc));
	return rc;
}

/* Gives the file the size that it had when the race began. */
static void restore_size(struct race_thread *thread, unsigned int number)
{
	const struct dax_file *file = &thread->race->files[number].file;
	const struct op_target target = { .fd = file->fd, .start = file->size };
	struct stat st;

	if (!fstat(file->fd, &st) && st.st_size != file->size)
		run(thread, op_find("truncate"), number, &target);
}

/*
 * Gives pages whose blocks may be shared new blocks, without any copy-on-write: if only a
 * part of a page is written to, that is known to ignore pins.
 */
static void renew(struct race_thread *thread, unsigned int number)
{
	const struct dax_file *file = &thread->race->files[number].file;
	struct op_target target = { .fd = file->fd };
	__u64 *words;

	choose_range(thread, 0, file->pages, file->page_size, &target);
	if (run(thread, op_find("punch"), number, &target))
		return;
	words = malloc(target.len);
	for (size_t i = 0; words && i < target.len / sizeof(*words); i++)
		words[i] = race_store_word(number, target.start / file->page_size, 0xf,
					   thread->begun);
	if (words && pwrite(file->fd, words, target.len, target.start) < 0 && errno != ENOSPC)
		race_harm(thread->race, P5_LOSES_NOTHING, "write failed: %s", strerror(errno));
	free(words);
}

/*
 * Puts another file in the place of this one, in its mappings and its descriptor, so that
 * only DMA that is under way refers to the old one when it is evicted.
 */
static void evict(struct race_thread *thread, const struct op *op, unsigned int number)
{
	struct race *race = thread->race;
	struct race_file *file = &race->files[number];
	struct dax_file fresh;
	struct op_target target = { .path = file->file.path, .peer_path = fresh.path };

	if (race_file_create(race, number, &fresh)) {
		race_poll();	/* nothing is free just now */
		return;
	}
	target.fd = dup(file->file.fd);
	meet(thread, file);
	if (target.fd < 0 || dup3(fresh.fd, file->file.fd, O_CLOEXEC) < 0) {
		race_harm(race, 0, "no descriptors: %s", strerror(errno));
		return;
	}
	for (unsigned int map = 0; map < RACE_MAPS; map++)
		race_map(race, number, map, 0, file->file.pages);
	if (run(thread, op, number, &target)) {
		close(target.fd);
		unlink(file->file.path);
	}
	close(fresh.fd);
	free(fresh.content);
	if (op->flags & OP_PEER)	/* the new file has got the old one's name */
		return;
	if (op->flags & OP_ENDS_DAX)
		unlink(file->file.path);
	memcpy(file->file.path, fresh.path, sizeof(fresh.path));
}

static void operate(struct race_thread *thread)
{
	struct race *race = thread->race;
	const struct op *op = race->ops[race_random(thread, race->nr_ops)];
	/* With two threads, each has a file of its own. */
	unsigned int number = race->spec->mix->pairs ? race_random(thread, RACE_FILES) :
						       thread->number;
	const struct race_file *file = &race->files[number];
	const struct race_file *peer = &race->files[!number];
	unsigned int pages = file->file.pages;
	struct op_target target = { .fd = file->file.fd, .path = file->file.path };

	if (op->flags & OP_EVICTS) {
		evict(thread, op, number);
		return;
	}
	if (op->flags & OP_PEER) {
		target.peer = peer->file.fd;
		target.peer_path = peer->file.path;
		pages = pages < peer->file.pages ? pages : peer->file.pages;
	}
	choose_range(thread, op->flags, pages, file->file.page_size, &target);
	meet(thread, &race->files[number]);
	run(thread, op, number, &target);
	restore_size(thread, number);
	if (op->flags & OP_PEER)
		restore_size(thread, !number);
	if (race->spec->mix->read_only)
		renew(thread, number);
}

void race_op_run(struct race_thread *thread)
{
	while (!thread->race->stop)
		operate(thread);
}
