// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "call.h"
#include "deadline.h"
#include "finding.h"

static void *thread(void *arg)
{
	struct call *call = arg;
	ssize_t n = call->fn(call->arg);

	call->result = n < 0 ? -errno : n;
	return NULL;
}

int call_start(struct call *call, const char *name, ssize_t (*fn)(void *arg), void *arg)
{
	sigset_t all, old;
	int rc;

	*call = (struct call){ .name = name, .fn = fn, .arg = arg };
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&call->thread, NULL, thread, call);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		return why_set(rc, "cannot create a thread: %s", strerror(rc));
	call->running = true;
	return 0;
}

int call_end(struct call *call)
{
	struct timespec until;

	if (!call->running)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += DEADLINE_MS / 1000;
	if (pthread_clockjoin_np(call->thread, NULL, CLOCK_MONOTONIC, &until))
		return why_set(ETIMEDOUT, "%s does not return", call->name);
	call->running = false;
	return 0;
}

int call_check(const struct call *call, size_t len)
{
	if (call->result < 0)
		return why_set(-call->result, "%s failed: %s", call->name,
			       strerror(-call->result));
	if (call->result != (ssize_t)len)
		return why_set(EIO, "%s returned %zd, not %zu", call->name, call->result, len);
	return 0;
}

int call_bounded(const char *name, ssize_t (*fn)(void *arg), void *arg)
{
	struct call *call = malloc(sizeof(*call));
	int rc;

	if (!call)
		return why_set(ENOMEM, "no memory for a call");
	rc = call_start(call, name, fn, arg);
	if (!rc)
		rc = call_end(call);
	if (rc == -ETIMEDOUT)
		return rc;	/* the thread still uses it */
	if (!rc && call->result < 0)
		rc = why_set(-call->result, "%s failed: %s", name, strerror(-call->result));
	free(call);
	return rc;
}
