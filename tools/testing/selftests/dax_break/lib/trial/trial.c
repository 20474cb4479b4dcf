// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alive.h"
#include "finding.h"
#include "testbed.h"
#include "trial.h"

static int run_op(void *arg)
{
	struct trial *trial = arg;

	return op_run(trial->op, &trial->target);
}

/* The range in bytes, no further than the file. */
static void aim(struct trial *trial)
{
	const struct trial_spec *spec = &trial->spec;
	size_t page_size = trial->file.page_size;
	off_t end = (spec->first + spec->count) * page_size - spec->inset;

	trial->target.fd = trial->file.fd;
	trial->target.path = trial->file.path;
	trial->target.peer = trial->peer.fd;
	trial->target.peer_path = trial->peer.path;
	trial->target.mount = testbed_mount(spec->on.fs);
	trial->target.start = spec->first * page_size + spec->inset;
	trial->target.len = (end < trial->file.size ? end : trial->file.size) -
			    trial->target.start;
	if (trial->op->reach == OP_WHOLE && !(trial->op->flags & OP_SPARES)) {
		trial->target.start = 0;
		trial->target.len = trial->file.size;
	}
}

static int create_files(struct trial *trial)
{
	const struct trial_spec *spec = &trial->spec;
	struct dax_file_spec file = {
		.dir = spec->plain ? testbed_plain_dir(spec->on.fs) :
				     testbed_dir(spec->on.fs),
		.pages = spec->pages,
		.short_by = spec->short_by,
		.plain = spec->plain,
		.nameless = spec->nameless,
		.hole = spec->hole,
		.hole_pages = spec->hole_pages,
	};
	bool higher;
	int rc;

	if (trial->op->flags & OP_WITHIN) {
		unsigned int end = spec->first + 2 * spec->count;

		file.pages = end > file.pages ? end : file.pages;
		if (trial->op->flags & OP_EQUAL) {
			file.copy = spec->first + spec->count;
			file.copy_pages = spec->count;
		}
	}
	rc = dax_file_create(&trial->file, &file);
	if (rc || !(trial->op->flags & OP_PEER))
		return rc;
	if (trial->op->flags & OP_EQUAL)
		file.tag = trial->file.ino;
	if (trial->op->flags & OP_PEER_PLAIN) {
		file.dir = testbed_plain_dir(spec->on.fs);
		file.plain = true;
	}
	rc = dax_file_create(&trial->peer, &file);
	higher = trial->file.ino > trial->peer.ino;
	if (!rc && spec->higher != higher && !(trial->op->flags & OP_PEER_PLAIN)) {
		struct dax_file swap = trial->file;

		trial->file = trial->peer;
		trial->peer = swap;
	}
	return rc;
}

/* Can there be such a trial here? */
static int require(const struct trial_spec *spec)
{
	int rc = spec->on.op->flags & OP_UNMOUNTS ? testbed_require_own(spec->on.fs) :
						    testbed_require(spec->on.fs);

	if (rc)
		return rc;
	if (spec->plain && !testbed_plain_dir(spec->on.fs))
		return why_set(EOPNOTSUPP,
			       "no files but DAX ones here: mounted with -o dax=always");
	if (spec->entries == DAX_PMD && !dax_file_pmd_pages())
		return why_set(EOPNOTSUPP, "%s", DAX_FILE_NO_PMD);
	return op_probe(spec->on.op, spec->on.fs);
}

static int map(struct trial *trial)
{
	int rc = dax_file_map(&trial->file, trial->spec.mapping ?: "shared", trial->spec.entries);

	if (rc || trial->spec.entries != DAX_PMD)
		return rc;
	dax_file_touch(&trial->file, 0);
	return dax_file_page_is_pmd(&trial->file, 0) ? 0 :
	       why_set(EOPNOTSUPP, "%s", DAX_FILE_NO_PMD_HERE);
}

static int open_holder(struct trial *trial)
{
	const char *name = trial->spec.holder ?: "vmsplice";

	return strcmp(name, HOLDER_NONE) ? holder_open(&trial->holder, name) : 0;
}

int trial_setup(struct trial *trial, const struct trial_spec *spec)
{
	int rc;

	memset(trial, 0, sizeof(*trial));
	trial->spec = *spec;
	if (!spec->pages) {
		trial->spec.pages = 4;
		trial->spec.first = 1;
		trial->spec.count = 2;
	}
	trial->op = spec->on.op;
	rc = require(spec) ?: create_files(trial);
	if (!rc) {
		aim(trial);
		rc = waiter_fork(&trial->waiter, trial->op->name, run_op, trial);
	}
	rc = rc ?: open_holder(trial) ?: map(trial);
	if (rc)
		trial_end(trial);
	return rc;
}

unsigned int trial_first(const struct trial *trial)
{
	return trial->op->reach == OP_WHOLE ? 0 : trial->spec.first;
}

unsigned int trial_last(const struct trial *trial)
{
	if (trial->op->reach == OP_RANGE)
		return trial->spec.first + trial->spec.count - 1;
	return trial->file.pages - 1;
}

/* By write(2), which neither faults nor takes blocks away: any mapping will do. */
static int write_byte(struct trial *trial, unsigned int page, unsigned char byte)
{
	if (pwrite(trial->file.fd, &byte, 1, page * trial->file.page_size) != 1)
		return why_set(errno, "cannot write page %u: %s", page, strerror(errno));
	return 0;
}

/*
 * Positive control: a change of the page, through @store (a mapping of it) or the
 * file, is seen through the reference: it is one to the page itself.
 */
static int control(struct trial *trial, unsigned int page, unsigned char *store)
{
	unsigned char old, new, seen;
	int rc;

	rc = holder_look(&trial->holder, page, &old);
	if (rc)
		return rc == -ENODATA ? 0 : rc;
	new = ~old;
	if (store)
		__atomic_store_n(store, new, __ATOMIC_SEQ_CST);
	else
		rc = write_byte(trial, page, new);
	rc = rc ?: holder_look(&trial->holder, page, &seen);
	if (!rc && seen != new)
		rc = why_set(EIO, "%s took a copy, not the page", trial->holder.ops->what);
	if (store)
		__atomic_store_n(store, old, __ATOMIC_SEQ_CST);
	else
		rc = rc ?: write_byte(trial, page, old);
	return rc;
}

int trial_hold(struct trial *trial, unsigned int page)
{
	dax_file_touch(&trial->file, page);
	return holder_hold(&trial->holder, page, dax_file_page(&trial->file, page),
			   trial->file.page_size) ?:
	       control(trial, page, NULL);
}

/* Not by write(2): the operation under way holds the inode's lock. */
int trial_hold_aside(struct trial *trial, unsigned int page)
{
	size_t len = trial->file.page_size;
	void *addr = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, trial->file.fd,
			  page * len);
	int rc;

	if (addr == MAP_FAILED)
		return why_set(errno, "cannot map page %u: %s", page, strerror(errno));
	rc = holder_hold(&trial->holder, page, addr, len) ?:
	     control(trial, page, addr);
	munmap(addr, len);
	return rc;
}

static bool is_prompt(const struct holder *holder)
{
	return !holder->ops || (holder->ops->flags & HOLDER_PROMPT);
}

static int release(struct trial *trial, struct holder *holder, struct dax_file *file,
		   unsigned int page)
{
	bool filled;
	__u64 word;
	int rc = holder_release(holder, page, &filled, &word);

	trial->waiter.settled = is_prompt(&trial->holder) && is_prompt(&trial->peer_holder);
	/* Late DMA: the data is there before the operation gets to the page. */
	if (!rc && filled)
		dax_file_page_got(file, page, word);
	return rc;
}

int trial_release(struct trial *trial, unsigned int page)
{
	return release(trial, &trial->holder, &trial->file, page);
}

int trial_hold_peer(struct trial *trial, unsigned int page)
{
	struct dax_file *peer = &trial->peer;
	/* This one needs no process of its own: it may come late. */
	int rc = trial->peer_holder.ops ? 0 : holder_open(&trial->peer_holder, "vmsplice");

	dax_file_touch(peer, page);
	return rc ?: holder_hold(&trial->peer_holder, page, dax_file_page(peer, page),
				 peer->page_size);
}

int trial_release_peer(struct trial *trial, unsigned int page)
{
	return release(trial, &trial->peer_holder, &trial->peer, page);
}

void trial_start(struct trial *trial)
{
	if (trial->op->flags & OP_EVICTS)
		dax_file_let_go(&trial->file);
	trial->before[0] = trial_stat_of(&trial->file);
	trial->before[1] = trial_stat_of(&trial->peer);
	waiter_start(&trial->waiter);
}

/* Appends which pages @holder has. */
static void describe_pins(char *text, size_t size, const struct holder *holder, const char *whose)
{
	const char *held = holder->ops ? holder_describe(holder) : "";
	size_t len = strlen(text);

	if (held[0])
		snprintf(text + len, size - len, ", with page%s %s %spinned by %s",
			 strchr(held, ',') ? "s" : "", held, whose, holder->ops->what);
}

void trial_situation(struct trial *trial, const char *words)
{
	trial->situation = words;
}

const char *trial_describe(const struct trial *trial)
{
	static char text[1024];
	size_t len = snprintf(text, sizeof(text), "%s", waiter_describe(&trial->waiter));

	describe_pins(text, sizeof(text), &trial->holder, "");
	describe_pins(text, sizeof(text), &trial->peer_holder, "of the peer ");
	if (!text[len])
		snprintf(text + len, sizeof(text) - len, ", with nothing pinned");
	len = strlen(text);
	if (trial->situation)
		snprintf(text + len, sizeof(text) - len, ", %s", trial->situation);
	return text;
}

void trial_end(struct trial *trial)
{
	bool gone;

	holder_close(&trial->holder);
	holder_close(&trial->peer_holder);
	/* Killed before the unmapping, which a fault holds up that waits for its lock. */
	if (trial->waiter.pid)
		waiter_signal(&trial->waiter, SIGKILL);
	dax_file_unmap(&trial->file);
	dax_file_unmap(&trial->peer);
	gone = waiter_end(&trial->waiter);
	if (!gone) {
		fprintf(stderr, "# left behind: process %d (%s) survives SIGKILL; its file: %s\n",
			trial->waiter.pid, trial->waiter.name, trial->file.path);
		alive_doubt(trial->spec.on.fs);
	}
	if (gone && trial->op && (trial->op->flags & OP_UNMOUNTS) &&
	    testbed_mount_again(trial->spec.on.fs))
		fprintf(stderr, "# %s\n", why());
	dax_file_close(&trial->file, !gone);
	dax_file_close(&trial->peer, !gone);
}
