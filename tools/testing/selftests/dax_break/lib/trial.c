// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "testbed.h"
#include "trial.h"
#include "why.h"

static int run_op(void *arg)
{
	struct trial *trial = arg;
	size_t page_size = trial->file.page_size;

	return trial->op->run(trial->file.fd, trial->spec.first * page_size,
			      trial->spec.count * page_size);
}

int trial_setup(struct trial *trial, const struct trial_spec *spec)
{
	const char *dir = testbed_dir(spec->fs);
	int rc;

	memset(trial, 0, sizeof(*trial));
	trial->file.fd = -1;
	trial->spec = *spec;
	trial->op = op_find(spec->op);
	if (!trial->op)
		return why_set(EINVAL, "no operation is called %s", spec->op);
	if (!dir)
		return why_set(EOPNOTSUPP, "no %s here: it is not in DAX_BREAK_FS", spec->fs);
	rc = op_probe(trial->op, dir);
	if (!rc)
		rc = dax_file_create(&trial->file, dir, spec->pages);
	if (!rc)
		rc = waiter_fork(&trial->waiter, trial->op->name, run_op, trial);
	if (!rc && spec->holder)
		rc = holder_open(&trial->holder, spec->holder);
	if (!rc)
		rc = dax_file_map(&trial->file);
	if (rc)
		trial_end(trial);
	return rc;
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
		return rc == -ENOSYS ? 0 : rc;
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

int trial_release(struct trial *trial, unsigned int page)
{
	bool filled;
	__u64 word;
	int rc = holder_release(&trial->holder, page, &filled, &word);

	/* Late DMA: the data is there before the operation gets to the page. */
	if (!rc && filled)
		dax_file_page_got(&trial->file, page, word);
	return rc;
}

int trial_check(const struct trial *trial)
{
	return op_check(trial->op, &trial->file, trial->spec.first, trial->spec.count);
}

const char *trial_describe(const struct trial *trial)
{
	static char text[1024];
	const char *held = trial->holder.ops ? holder_describe(&trial->holder) : "";

	if (held[0])
		snprintf(text, sizeof(text), "%s, with page%s %s pinned by %s",
			 waiter_describe(&trial->waiter), strchr(held, ',') ? "s" : "", held,
			 trial->holder.ops->what);
	else
		snprintf(text, sizeof(text), "%s, with nothing pinned",
			 waiter_describe(&trial->waiter));
	return text;
}

void trial_end(struct trial *trial)
{
	bool gone;

	holder_close(&trial->holder);
	dax_file_unmap(&trial->file);
	gone = waiter_end(&trial->waiter);
	if (!gone)
		fprintf(stderr, "# left behind: process %d (%s) survives SIGKILL; its file: %s\n",
			trial->waiter.pid, trial->waiter.name, trial->file.path);
	dax_file_close(&trial->file, !gone);
}
