// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/probe.h"
#include "finding.h"

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
