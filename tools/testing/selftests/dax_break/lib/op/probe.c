// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/probe.h"
#include "dax_file.h"
#include "finding.h"
#include "op.h"
#include "testbed.h"

static int run_op(const struct op *op, const struct filesystem *fs)
{
	struct dax_file_spec spec = { .dir = testbed_dir(fs), .pages = 2 };
	struct dax_file file, peer;
	int rc = dax_file_create(&file, &spec);

	if (rc)
		return rc;
	spec.tag = file.ino;
	rc = dax_file_create(&peer, &spec);
	if (!rc) {
		struct op_target target = {
			.fd = file.fd,
			.path = file.path,
			.peer = peer.fd,
			.peer_path = peer.path,
			.len = file.page_size,
		};

		rc = op_run(op, &target);
		dax_file_close(&peer, false);
	}
	dax_file_close(&file, false);
	return rc;
}

static int ask_op(void *arg)
{
	const struct fs_op *q = arg;
	int rc = run_op(q->op, q->fs);

	if (rc == -EOPNOTSUPP)
		return why_set(EOPNOTSUPP, "this kernel's %s does not have %s", q->fs->name,
			       q->op->name);
	if (rc)
		return why_broken(-rc, P4_PRECISE,
				  "%s returned %d (%s), with nothing mapped or pinned", q->op->name,
				  rc, strerror(-rc));
	return 0;
}

int op_probe(const struct op *op, const struct filesystem *fs)
{
	struct fs_op q = { fs, op };
	char question[64];

	/* What evicts is as old as filesystems are, and would evict the testbed's. */
	if (op->flags & (OP_EVICTS | OP_OWN))
		return 0;
	snprintf(question, sizeof(question), "%s %s", fs->name, op->name);
	return probe_once(question, ask_op, &q);
}
