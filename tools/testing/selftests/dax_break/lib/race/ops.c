// SPDX-License-Identifier: GPL-2.0
/*
 * The operations of a race, a random mix of those in the table, on random ranges. What
 * is taken away from a file comes back: its size at once, its blocks by faults.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deadline.h"
#include "kselftest.h"
#include "probe.h"
#include "race/internal.h"
#include "testbed.h"
#include "why.h"

/* Most ranges are of so many pages at most; one in so many is of any size. */
#define SMALL		8U
#define ONE_IN		4U
/* How long an operation waits until there is DMA for it to meet. */
#define MEET_MS		20

const struct race_class race_classes[] = {
	{ "blocks", .without = OP_PEER | OP_WITHIN | OP_EVICTS | OP_RARE },
	{ "evict", .any = OP_EVICTS, .without = OP_UNMOUNTS | OP_RARE },
	{ "exchange", "xfs", .any = OP_PEER | OP_WITHIN, .without = OP_RARE | OP_EVICTS,
	  .only = "exchange", .pairs = true },
	/* What falls back to copying would write to shared pages. */
	{ "share", "xfs", .any = OP_PEER | OP_WITHIN,
	  .without = OP_RARE | OP_EVICTS | OP_FALLS_BACK, .but = "exchange", .pairs = true,
	  .read_only = true },
	{ .name = NULL },
};

const struct race_class *race_class_find(const char *name)
{
	for (const struct race_class *class = race_classes; class->name; class++)
		if (!strcmp(class->name, name))
			return class;
	return NULL;
}

bool race_class_is_for(const struct race_class *class, const char *fs)
{
	return !class->fs || !strcmp(class->fs, fs);
}

static bool begins(const char *name, const char *with)
{
	return !strncmp(name, with, strlen(with));
}

static bool is_in(const struct op *op, const struct race_class *class)
{
	return (!class->any || (op->flags & class->any)) && !(op->flags & class->without) &&
	       (!class->only || begins(op->name, class->only)) &&
	       (!class->but || !begins(op->name, class->but));
}

int race_ops_choose(struct race *race)
{
	const char *fs = race->spec->fs;

	for (const struct op *op = ops; op->name && race->nr_ops < ARRAY_SIZE(race->ops); op++) {
		int rc;

		if (!op_is_for(op, fs) || !is_in(op, race->spec->class))
			continue;
		rc = probe_op(op, fs);
		if (!rc)
			race->ops[race->nr_ops++] = op;
		else if (rc != -EOPNOTSUPP)
			return rc;
	}
	return race->nr_ops ? 0 : why_set(EOPNOTSUPP, "none of the operations is there");
}

/* A small one, and one that a PMD may map. */
static unsigned int pages_of(unsigned int number)
{
	return number ? RACE_PAGES : 16;
}

int race_file_create(const struct race *race, unsigned int number, struct dax_file *file)
{
	const struct dax_file_spec spec = {
		.dir = testbed_dir(race->spec->fs),
		.pages = pages_of(number),
		.tag = RACE_TAG + number,
		/* As soon as it is crowded. */
		.as_room_permits = race->victim.dir,
	};
	int rc = dax_file_create(file, &spec);

	if (rc)
		return rc;
	file->pages = spec.pages;
	file->size = (off_t)spec.pages * file->page_size;
	return ftruncate(file->fd, file->size) ? -errno : 0;
}

/* As the table's flags have it. @pages: of the smaller of the files that take part. */
static void choose_range(struct race_thread *thread, const struct op *op, unsigned int pages,
			 size_t page_size, struct op_target *target)
{
	unsigned int most = pages - !!(op->flags & OP_WHOLE_PAGES), page, count;

	if (op->flags & OP_WITHIN)
		most /= 2;
	if (race_random(thread, ONE_IN) && most > SMALL)
		count = 1 + race_random(thread, SMALL);
	else
		count = 1 + race_random(thread, most);
	page = race_random(thread, most - count + 1);
	target->start = page * page_size;
	target->len = count * page_size;
	/* Whole words, or what is left of one tells nothing. */
	if ((op->flags & OP_BYTES) && race_random(thread, 2)) {
		target->start += race_random(thread, page_size / 16) * sizeof(__u64);
		target->len -= page_size / 2 + race_random(thread, page_size / 16) * sizeof(__u64);
	}
}

/* Until DMA for the file is under way, of one request if possible, and a bit longer. */
static void meet(struct race_thread *thread, struct race_file *file)
{
	long deadline = deadline_in(MEET_MS);

	file->wanted = true;
	while (file->pins != 1 && !deadline_over(deadline) && !race_over(thread->race))
		race_poll();
	race_pause(thread, thread->race->spec->delay_us[RACE_SUBMIT_TO_OP]);
}

static int run(struct race_thread *thread, const struct op *op, unsigned int number,
	       const struct op_target *target)
{
	struct race *race = thread->race;
	struct race_file *file = &race->files[number];
	unsigned int page = 0, count = file->file.pages;
	struct race_event *event;
	int rc;

	if (op->reach != OP_WHOLE) {
		page = target->start / file->file.page_size;
		count -= page;
	}
	if (op->reach == OP_RANGE)
		count = (target->len + file->file.page_size - 1) / file->file.page_size;
	__atomic_add_fetch(&race->result->operations, 1, __ATOMIC_RELAXED);
	if (file->pins)
		__atomic_add_fetch(&race->result->overlaps, 1, __ATOMIC_RELAXED);
	event = race_begin(thread, op->name, number, page, count);
	thread->begun++;
	rc = op->run(target);
	thread->ended++;
	file->wanted = false;
	race_end(event, rc);
	if (rc && rc != -ENOSPC)
		race_harm(race, "P5 broken: %s failed: %s", op->name, strerror(-rc));
	return rc;
}

/* To what it was when the race began. */
static void restore_size(struct race_thread *thread, unsigned int number)
{
	const struct dax_file *file = &thread->race->files[number].file;
	const struct op_target target = { .fd = file->fd, .start = file->size };
	struct stat st;

	if (!fstat(file->fd, &st) && st.st_size != file->size)
		run(thread, op_find("truncate"), number, &target);
}

/*
 * Pages whose blocks may be shared get others, without any copy-on-write: that of a page
 * of which only a part is written to is known to forget pins.
 */
static void renew(struct race_thread *thread, unsigned int number)
{
	const struct dax_file *file = &thread->race->files[number].file;
	const struct op whole_pages = { .flags = 0 };
	struct op_target target = { .fd = file->fd };
	__u64 *words;

	choose_range(thread, &whole_pages, file->pages, file->page_size, &target);
	if (run(thread, op_find("punch"), number, &target))
		return;
	words = malloc(target.len);
	for (size_t i = 0; words && i < target.len / sizeof(*words); i++)
		words[i] = race_store_word(number, target.start / file->page_size, 0xf,
					   thread->begun);
	if (words && pwrite(file->fd, words, target.len, target.start) < 0 && errno != ENOSPC)
		race_harm(thread->race, "P5 broken: write failed: %s", strerror(errno));
	free(words);
}

/*
 * Another file takes the place of this one, in its mappings and by its descriptor, so
 * that nothing but DMA that is under way is left of it when it is evicted.
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
		race_harm(race, "no descriptors: %s", strerror(errno));
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
	if (op->flags & OP_PEER)	/* its name is the old one's */
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
	unsigned int number = race->spec->class->pairs ? race_random(thread, RACE_FILES) :
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
	choose_range(thread, op, pages, file->file.page_size, &target);
	meet(thread, &race->files[number]);
	run(thread, op, number, &target);
	restore_size(thread, number);
	if (op->flags & OP_PEER)
		restore_size(thread, !number);
	if (race->spec->class->read_only)
		renew(thread, number);
}

void *race_op_run(void *arg)
{
	struct race_thread *thread = arg;

	while (!race_over(thread->race))
		operate(thread);
	return NULL;
}
