// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "dax_file.h"
#include "probe.h"
#include "testbed.h"
#include "why.h"

#define MAX_ANSWERS	128

/* Tests run one after the other, so nobody reads what somebody else writes. */
struct answer {
	char question[64];	/* "": free */
	int rc;
	char why[256];
};

static struct answer *answers;

void probe_init(void)
{
	void *map = mmap(NULL, MAX_ANSWERS * sizeof(*answers), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	/* Without memory for the answers, all is asked anew. */
	answers = map == MAP_FAILED ? NULL : map;
}

int probe_once(const char *question, int (*ask)(void *arg), void *arg)
{
	struct answer *answer = NULL;
	int rc;

	for (size_t i = 0; answers && !answer && i < MAX_ANSWERS; i++) {
		if (!strcmp(answers[i].question, question))
			return answers[i].rc ? why_set(-answers[i].rc, "%s", answers[i].why) : 0;
		if (!answers[i].question[0])
			answer = &answers[i];
	}
	rc = ask(arg);
	/* The question last: a test that dies while it asks leaves no answer. */
	if (answer && strlen(question) < sizeof(answer->question)) {
		answer->rc = rc;
		snprintf(answer->why, sizeof(answer->why), "%s", rc ? why() : "");
		snprintf(answer->question, sizeof(answer->question), "%s", question);
	}
	return rc;
}

struct op_question {
	const struct op *op;
	const char *fs;
};

static int run_op(const struct op *op, const char *fs)
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

		rc = op->run(&target);
		dax_file_close(&peer, false);
	}
	dax_file_close(&file, false);
	return rc;
}

static int ask_op(void *arg)
{
	const struct op_question *q = arg;
	int rc = run_op(q->op, q->fs);

	if (rc == -EOPNOTSUPP)
		return why_set(EOPNOTSUPP, "this kernel's %s does not have %s", q->fs, q->op->name);
	if (rc)
		return why_set(-rc, "P4 broken: %s returned %d (%s), with nothing mapped or pinned",
			       q->op->name, rc, strerror(-rc));
	return 0;
}

int probe_op(const struct op *op, const char *fs)
{
	struct op_question q = { op, fs };
	char question[64];

	/* What evicts is as old as filesystems are, and would evict the testbed's. */
	if (op->flags & OP_EVICTS)
		return 0;
	snprintf(question, sizeof(question), "%s %s", fs, op->name);
	return probe_once(question, ask_op, &q);
}
