// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "finding.h"
#include "image.h"
#include "testbed.h"
#include "trial.h"

struct trial_stat trial_stat_of(const struct dax_file *file)
{
	struct stat st = { 0 };

	if (file->path[0] && file->fd >= 0)
		fstat(file->fd, &st);
	return (struct trial_stat){ .size = st.st_size, .blocks = st.st_blocks };
}

int trial_unchanged(const struct trial *trial)
{
	const struct dax_file *files[] = { &trial->file, &trial->peer };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		const struct trial_stat *before = &trial->before[i];
		struct trial_stat now = trial_stat_of(files[i]);

		if (now.size != before->size)
			return why_set(EIO, "the size has become %lld, it was %lld",
				       (long long)now.size, (long long)before->size);
		if (now.blocks != before->blocks)
			return why_set(EIO, "%lld blocks have become %lld",
				       (long long)before->blocks, (long long)now.blocks);
	}
	return 0;
}

/* The file has its name and an inode again, unless these are what the operation took. */
static int look_again(struct trial *trial)
{
	struct stat st;
	int rc = testbed_mount_again(trial->spec.on.fs);

	if (rc)
		return rc;
	if (trial->op->result) {
		if (trial->file.fd < 0)
			rc = dax_file_reopen(&trial->file);
		if (!rc && (trial->op->flags & OP_ENDS_DAX) && dax_file_is_dax(&trial->file))
			rc = why_set(EIO, "the file is still DAX");
		return rc;
	}
	if (!stat(trial->file.path, &st) && st.st_ino == trial->file.ino)
		return why_set(EIO, "the file is still there");
	return 0;
}

/* What they were before the operation; the same about freeing as for trial_expect(). */
static int expect_none(const struct trial *trial, struct image *file, struct image *peer)
{
	off_t len = trial->target.len;
	int rc;

	*peer = (struct image){ .pages = NULL };
	rc = image_of(file, &trial->file, len);
	if (!rc && (trial->op->flags & OP_PEER))
		rc = image_of(peer, &trial->peer, len);
	return rc;
}

int trial_expect(const struct trial *trial, struct image *file, struct image *peer)
{
	const struct op_target *t = &trial->target;
	int rc = expect_none(trial, file, peer);

	if (!rc && trial->op->flags & OP_WITHIN)
		trial->op->result(file, t->start, file, t->start + t->len, t->len);
	else if (!rc)
		trial->op->result(file, t->start, peer, t->start, t->len);
	return rc;
}

static int compare(const struct trial *trial,
		   int (*expect)(const struct trial *trial, struct image *file, struct image *peer))
{
	struct image file, peer;
	int rc = expect(trial, &file, &peer) ?:
		 image_compare(&file, trial->file.fd, "the file");

	if (!rc && peer.pages)
		rc = image_compare(&peer, trial->peer.fd, "the peer");
	image_free(&file);
	image_free(&peer);
	return rc;
}

int trial_check(struct trial *trial)
{
	int rc = trial->op->flags & OP_EVICTS ? look_again(trial) : 0;

	return rc || !trial->op->result ? rc : compare(trial, trial_expect);
}

int trial_intact(const struct trial *trial)
{
	return trial_unchanged(trial) ?: compare(trial, expect_none);
}

int trial_all_written(const struct trial *trial, const bool *written)
{
	struct image file, peer;
	int rc = trial_expect(trial, &file, &peer);

	for (unsigned int page = 0; !rc && page < trial->file.pages; page++) {
		long now = image_find(&file, trial->file.content[page]);

		if (written[page] || (now >= 0 && written[now]))
			continue;
		if (now >= 0 ||
		    (peer.pages && image_find(&peer, trial->file.content[page]) >= 0))
			rc = why_set(EIO,
				     "what was stored to page %u before %s is not written back after it",
				     page, trial->op->name);
	}
	image_free(&file);
	image_free(&peer);
	return rc;
}
