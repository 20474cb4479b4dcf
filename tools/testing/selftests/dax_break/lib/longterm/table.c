// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deadline.h"
#include "longterm.h"
#include "probe.h"
#include "why.h"

const struct longterm_request *const longterm_tables[] = {
	longterm_uring_buffers,
	longterm_uring_regions,
	longterm_zcrx,
	longterm_xdp,
	longterm_ublk,
	longterm_gup_test,
	NULL
};

/* Of the memory asked for. */
#define MAX_PAGES	16

static const struct longterm_request *find(const char *name)
{
	for (size_t i = 0; longterm_tables[i]; i++)
		for (const struct longterm_request *r = longterm_tables[i]; r->name; r++)
			if (!strcmp(r->name, name))
				return r;
	return NULL;
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

/* VmPin, what io_uring charges a process for; -1 if it cannot be told. */
static long accounted(void)
{
	char line[128];
	long kb = -1;
	FILE *status = fopen("/proc/self/status", "re");

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "VmPin: %ld", &kb) == 1)
			break;
	if (status)
		fclose(status);
	return kb;
}

/*
 * Reads the page frames of @len bytes at @addr, in the calling process; false if it
 * cannot tell, or a page is not there.
 */
static bool read_frames(const char *addr, size_t len, __u64 *frames)
{
	size_t page_size = sysconf(_SC_PAGESIZE);
	size_t bytes = len / page_size * sizeof(*frames);
	off_t start = (uintptr_t)addr / page_size * sizeof(*frames);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	bool all;

	if (fd < 0)
		return false;
	all = pread(fd, frames, bytes, start) == (ssize_t)bytes;
	close(fd);
	for (size_t i = 0; all && i < len / page_size; i++) {
		frames[i] &= (1ULL << 55) - 1;
		all = frames[i];
	}
	return all;
}

/*
 * Is one of the anonymous pages in @len bytes at @addr pinned? If it is, fork(2)
 * gives the child a copy, because a device goes on using the parent's page; if not,
 * they share it (folio_try_dup_anon_rmap_pte()). 1, 0 or a negative errno.
 */
static int pinned(const char *addr, size_t len)
{
	enum { SHARED, COPIED, UNKNOWN };
	size_t bytes = len / sysconf(_SC_PAGESIZE) * sizeof(__u64);
	__u64 ours[MAX_PAGES], theirs[MAX_PAGES];
	int status;
	pid_t pid;

	if (bytes > sizeof(ours))
		return why_set(EINVAL, "%zu bytes are too many to look at", len);
	if (!read_frames(addr, len, ours))
		return why_set(EPERM, "cannot read page frames in /proc/self/pagemap: needs root");
	pid = fork();
	if (pid < 0)
		return why_set(errno, "cannot fork: %s", strerror(errno));
	if (!pid) {
		if (!read_frames(addr, len, theirs))
			_exit(UNKNOWN);
		_exit(memcmp(ours, theirs, bytes) ? COPIED : SHARED);
	}
	if (!deadline_wait_child(pid, DEADLINE_MS, &status))
		return why_set(ETIMEDOUT, "a child that reads its pagemap does not end");
	if (!WIFEXITED(status) || WEXITSTATUS(status) == UNKNOWN)
		return why_set(EIO, "a child cannot read its pagemap");
	return WEXITSTATUS(status) == COPIED;
}

static int check_unpinned(const char *addr, size_t len)
{
	long deadline = deadline_in(DEADLINE_MS);
	int rc;

	if (!len)
		return 0;
	while ((rc = pinned(addr, len)) > 0) {
		if (deadline_over(deadline))
			return why_set(EIO, "anonymous memory that was asked for stays pinned");
		deadline_pause();
	}
	return rc;
}

static int check_accounted(long before)
{
	long deadline = deadline_in(DEADLINE_MS);
	long now;

	while ((now = accounted()) != before) {
		if (deadline_over(deadline))
			return why_set(EIO, "VmPin is %ld kB, and was %ld kB before", now, before);
		deadline_pause();
	}
	return 0;
}

int longterm_check_undone(const struct longterm *longterm, void *addr, size_t len)
{
	size_t beside = longterm->request->uses_beside ? longterm->len : 0;

	return check_unpinned(addr, len) ?:
	       check_unpinned(longterm->beside, beside) ?:
	       check_accounted(longterm->accounted);
}

static int open_request(struct longterm *longterm, const struct longterm_request *request,
			size_t len)
{
	int rc;

	*longterm = (struct longterm){ .request = request, .len = len, .fd = -1 };
	rc = anonymous(&longterm->beside, len) ?: request->open(longterm);
	longterm->accounted = accounted();
	if (rc)
		longterm_close(longterm);
	return rc;
}

/* Why anonymous memory is not granted: only what a kernel or a user may lack is excused. */
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

/* Granted, it pins; and what lets it go does. */
static int control(const struct longterm_request *request, size_t len)
{
	struct longterm longterm;
	long before = accounted();
	char *memory;
	int rc;

	rc = anonymous(&memory, len);
	if (rc)
		return rc;
	rc = open_request(&longterm, request, len);
	if (rc)
		goto out_memory;
	rc = longterm_ask(&longterm, memory);
	if (rc) {
		rc = control_refused(request, rc);
		goto out_close;
	}
	rc = pinned(memory, len);
	if (rc > 0 && request->uses_beside)
		rc = pinned(longterm.beside, len);
	if (!rc)
		rc = why_set(EIO, "%s was granted, but pins nothing", request->what);
	rc = rc > 0 ? 0 : rc;
out_close:
	longterm_close(&longterm);
	rc = rc ?: check_unpinned(memory, len) ?: check_accounted(before);
out_memory:
	munmap(memory, len);
	return rc;
}

struct question {
	const struct longterm_request *request;
	size_t len;
};

static int ask_control(void *arg)
{
	const struct question *q = arg;

	return control(q->request, q->len);
}

int longterm_open(struct longterm *longterm, const char *name, size_t len)
{
	struct question q = { find(name), len };

	memset(longterm, 0, sizeof(*longterm));
	if (!q.request)
		return why_set(EINVAL, "no request is called %s", name);
	return probe_once(name, ask_control, &q) ?: open_request(longterm, q.request, len);
}

struct watch {
	const char *what;
	bool answered;
};

/*
 * GUP looks for movable memory to replace what must not be pinned as often as it
 * takes: an error there makes it go on for ever, in the kernel, where only SIGKILL
 * gets it out. (A thread, because for the child of a process anonymous memory is
 * shared, and GUP takes another way.)
 */
static void *watch(void *arg)
{
	struct watch *w = arg;
	long deadline = deadline_in(2 * DEADLINE_MS);

	while (!__atomic_load_n(&w->answered, __ATOMIC_ACQUIRE)) {
		if (deadline_over(deadline)) {
			/* As TH_LOG() writes it. */
			fprintf(stderr, "# longterm.c:%d:%s:P7 broken: %s got no answer\n",
				__LINE__, __func__, w->what);
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
	longterm->request->close(longterm);
	if (longterm->beside)
		munmap(longterm->beside, longterm->len);
	longterm->beside = NULL;
	longterm->request = NULL;
}

void longterm_close_fd(struct longterm *longterm)
{
	if (longterm->fd >= 0)
		close(longterm->fd);
	longterm->fd = -1;
}
