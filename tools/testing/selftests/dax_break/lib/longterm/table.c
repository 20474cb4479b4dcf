// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/probe.h"
#include "base/rows.h"
#include "deadline.h"
#include "finding.h"
#include "longterm.h"
#include "longterm/pinned.h"

ROWS(longterm_requests, ROWS_MAX);

const struct longterm_request *longterm_next(const struct longterm_request *request)
{
	return rows_next(&longterm_requests_rows, request);
}

static int anonymous(char **memory, size_t len)
{
	void *addr = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (addr == MAP_FAILED)
		return why_set(errno, "cannot map %zu bytes: %s", len, strerror(errno));
	memset(addr, 0, len);
	*memory = addr;
	return 0;
}

int longterm_check_undone(const struct longterm *longterm, void *addr, size_t len)
{
	size_t beside = longterm->request->uses_beside ? longterm->len : 0;

	return pinned_check_none(addr, len) ?:
	       pinned_check_none(longterm->beside, beside) ?:
	       pinned_check_charge(longterm->charge);
}

static int open_request(struct longterm *longterm, const struct longterm_request *request,
			size_t len)
{
	int rc;

	*longterm = (struct longterm){ .request = request, .len = len, .fd = -1 };
	rc = anonymous(&longterm->beside, len) ?: request->open(longterm);
	longterm->charge = pinned_charge();
	if (rc)
		longterm_close(longterm);
	return rc;
}

/* Why anonymous memory is refused. What a kernel or user may lack makes a test skip. */
static int control_refused(const struct longterm_request *request, int answer)
{
	switch (answer) {
	case -EINVAL:
	case -EOPNOTSUPP:
		return why_set(EOPNOTSUPP, "the kernel cannot do %s (%s): needs %s", request->what,
			       strerror(-answer), request->needs);
	case -ENOBUFS:
	case -ENOMEM:
		return why_set(EOPNOTSUPP, "%s is refused for anonymous memory (%s): ulimit -l",
			       request->what, strerror(-answer));
	case -EACCES:
	case -EPERM:
		return why_set(EOPNOTSUPP, "%s is refused for anonymous memory (%s): needs root",
			       request->what, strerror(-answer));
	default:
		return why_set(-answer, "%s is refused for anonymous memory: %s",
			       request->what, strerror(-answer));
	}
}

/* Makes the request for @memory, which is anonymous: it is granted, and pins. */
static int ask_anonymous(struct longterm *longterm, char *memory)
{
	const struct longterm_request *request = longterm->request;
	int rc = longterm_ask(longterm, memory);

	if (rc)
		return control_refused(request, rc);
	rc = pinned(memory, longterm->len);
	if (rc > 0 && request->uses_beside)
		rc = pinned(longterm->beside, longterm->len);
	if (!rc)
		return why_set(EIO, "%s was granted, but pins nothing", request->what);
	return rc > 0 ? 0 : rc;
}

struct question {
	const struct longterm_request *request;
	size_t len;
};

/* The positive control: anonymous memory is granted, pinned, and let go by the close. */
static int control(void *arg)
{
	const struct question *q = arg;
	struct longterm longterm;
	long charge = pinned_charge();
	char *memory;
	int rc;

	rc = anonymous(&memory, q->len);
	if (rc)
		return rc;
	rc = open_request(&longterm, q->request, q->len);
	if (!rc) {
		rc = ask_anonymous(&longterm, memory);
		longterm_close(&longterm);
		rc = rc ?: pinned_check_none(memory, q->len) ?: pinned_check_charge(charge);
	}
	munmap(memory, q->len);
	return rc;
}

int longterm_open(struct longterm *longterm, const struct longterm_request *request, size_t len)
{
	struct question q = { request, len };

	memset(longterm, 0, sizeof(*longterm));
	return probe_once(request->name, control, &q) ?: open_request(longterm, request, len);
}

struct watch {
	const char *what;
	bool answered;
};

/*
 * Kills the process if the request gets no answer. GUP replaces movable memory, which must
 * not be pinned, and tries again until there is none: an error there makes it go on for
 * ever, in the kernel, which only SIGKILL gets it out of. This is a thread and not a child,
 * because with a child the anonymous memory would be shared, and GUP would take another
 * path.
 */
static void *watch(void *arg)
{
	struct watch *w = arg;
	long deadline = deadline_in(2 * DEADLINE_MS);

	while (!__atomic_load_n(&w->answered, __ATOMIC_ACQUIRE)) {
		if (deadline_over(deadline)) {
			finding_tell(P7_NO_LONGTERM_PINS, "%s got no answer", w->what);
			kill(getpid(), SIGKILL);
		}
		deadline_pause();
	}
	return NULL;
}

int longterm_ask(struct longterm *longterm, void *addr)
{
	struct watch w = { .what = longterm->request->what };
	pthread_t thread;
	bool watched = !pthread_create(&thread, NULL, watch, &w);

	longterm->answer = longterm->request->ask(longterm, addr);
	__atomic_store_n(&w.answered, true, __ATOMIC_RELEASE);
	if (watched)
		pthread_join(thread, NULL);
	return longterm->answer;
}

const char *longterm_describe(const struct longterm *longterm)
{
	static char text[256];
	const char *what = longterm->request->what;

	if (longterm->answer)
		snprintf(text, sizeof(text), "%s was refused with %d (%s)", what,
			 longterm->answer, strerror(-longterm->answer));
	else
		snprintf(text, sizeof(text), "%s was granted", what);
	return text;
}

void longterm_close(struct longterm *longterm)
{
	if (!longterm->request)
		return;
	if (longterm->fd >= 0)
		close(longterm->fd);
	if (longterm->request->close)
		longterm->request->close(longterm);
	if (longterm->beside)
		munmap(longterm->beside, longterm->len);
	*longterm = (struct longterm){ .fd = -1 };
}
