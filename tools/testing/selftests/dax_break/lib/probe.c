// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "dax_file.h"
#include "filesystem.h"
#include "probe.h"
#include "testbed.h"
#include "why.h"

#define MAX_OPS		64
#define MAX_FILESYSTEMS	8

/* Of the question about an operation and a filesystem: 0 or a negative errno. */
struct answer {
	atomic_bool known;
	int rc;
};

static struct answer (*answers)[MAX_OPS];

void probe_init(void)
{
	void *map = mmap(NULL, MAX_FILESYSTEMS * sizeof(*answers), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	/* Without memory for the answers, all is asked anew. */
	answers = map == MAP_FAILED ? NULL : map;
}

static int ask(const struct op *op, const char *fs)
{
	struct dax_file_spec spec = { .dir = testbed_dir(fs), .pages = 2 };
	struct dax_file file, peer = { .fd = -1 };
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

		rc = op->run(&target);
		dax_file_close(&peer, false);
	}
	dax_file_close(&file, false);
	return rc;
}

int probe_op(const struct op *op, const char *fs)
{
	struct answer *answer = NULL;
	int rc;

	/* What evicts is as old as filesystems are, and would evict the testbed's. */
	if (op->flags & OP_EVICTS)
		return 0;
	if (answers)
		answer = &answers[filesystem_find(fs) - filesystems][op - ops];
	if (answer && atomic_load(&answer->known)) {
		rc = answer->rc;
	} else {
		rc = ask(op, fs);
		if (answer) {
			answer->rc = rc;
			atomic_store(&answer->known, true);
		}
	}
	if (rc == -EOPNOTSUPP)
		return why_set(EOPNOTSUPP, "this kernel's %s does not have %s", fs, op->name);
	if (rc)
		return why_set(-rc, "P4 broken: %s returned %d (%s), with nothing mapped or pinned",
			       op->name, rc, strerror(-rc));
	return 0;
}
