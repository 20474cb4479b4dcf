// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/run.h"
#include "deadline.h"
#include "finding.h"
#include "gate/gate.h"
#include "memory/pmem.h"
#include "memory/signature.h"
#include "testbed/reclaim.h"
#include "virtiofs.h"

/* The server of a gate removes its device when it is asked to end. */
#define TERM_MS		20000
/* A namespace of a process that was just killed may be mounted for a moment more. */
#define RELEASE_MS	(2 * DEADLINE_MS)

/* How long namespaces of the run are waited for. */
static long patience_ms;

/* Is @entry[] among the strings of @len bytes at @environment? */
static bool has_string(const char *environment, size_t len, const char *entry)
{
	size_t size = strlen(entry) + 1;

	for (const char *at = environment; at && (size_t)(environment + len - at) >= size;) {
		if (!memcmp(at, entry, size))
			return true;
		at = memchr(at, '\0', environment + len - at);
		at = at ? at + 1 : NULL;
	}
	return false;
}

/* The whole of it, however long: allocated, NULL if it cannot be read. */
static char *read_environment(const char *pid, size_t *len)
{
	char path[300], *text = NULL;
	size_t size = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/environ", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	*len = 0;
	/* Of one that is about to be gone. */
	if (fd < 0)
		return NULL;
	do {
		char *more = size - *len ? text : realloc(text, size += 16384);

		if (!more)
			break;
		text = more;
		n = read(fd, text + *len, size - *len);
		*len += n > 0 ? n : 0;
	} while (n > 0);
	close(fd);
	return text;
}

static bool belongs(const char *pid, const char *entry)
{
	size_t len;
	char *environment = read_environment(pid, &len);
	bool found = environment && has_string(environment, len, entry);

	free(environment);
	return found;
}

/* Processes of a run, as one look at all of them finds them. */
struct look {
	int all, stuck;
};

/* Sends @sig to every process of the run. */
static struct look signal_processes(const char *entry, int sig)
{
	DIR *proc = opendir("/proc");
	struct look look = { 0 };
	struct dirent *process;

	while (proc && (process = readdir(proc))) {
		pid_t pid = atoi(process->d_name);
		int pidfd;

		if (pid <= 0 || pid == getpid())
			continue;
		/* Opened before the look: what is signalled is what was looked at. */
		pidfd = syscall(SYS_pidfd_open, pid, 0);
		if (pidfd >= 0 && belongs(process->d_name, entry)) {
			syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
			look.all++;
			look.stuck += proc_stuck(pid, VIRTIOFS_WAIT);
		}
		if (pidfd >= 0)
			close(pidfd);
	}
	if (proc)
		closedir(proc);
	return look;
}

/* Sends them @sig, and waits until all are gone, at most @ms. Returns how many are left. */
static int end_processes(const char *entry, int sig, long ms)
{
	long deadline = deadline_in(ms), patience = deadline_in(PROC_STUCK_MS);
	struct look look = signal_processes(entry, sig);

	while (look.all && !deadline_over(deadline) &&
	       (look.all > look.stuck || !deadline_over(patience))) {
		deadline_pause();
		look = signal_processes(entry, 0);
	}
	return look.all;
}

int reclaim_processes(const struct ledger *ledger)
{
	char entry[64];
	int left;

	snprintf(entry, sizeof(entry), RUN_ENV "=%s", ledger->token);
	left = end_processes(entry, SIGTERM, TERM_MS);
	if (left)
		left = end_processes(entry, SIGKILL, DEADLINE_MS);
	return left ? why_set(EBUSY, "%d processes survive SIGKILL", left) : 0;
}

/* Removes @name in @dir and all below it, on this filesystem and through no link. */
static int remove_tree(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *entry;
	int rc = 0;
	DIR *list;

	if (fd < 0)
		return errno == ENOENT || !unlinkat(dir, name, 0) ? 0 : -errno;
	list = fdopendir(fd);
	while (list && (entry = readdir(list)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			rc = rc ?: remove_tree(fd, entry->d_name);
	if (list)
		closedir(list);
	else
		close(fd);
	if (!rc && unlinkat(dir, name, AT_REMOVEDIR))
		rc = -errno;
	return rc;
}

/* A namespace that its owner has destroyed meanwhile is no matter of ours. */
static int wipe(const char *filesystem, const char *namespace)
{
	char device[32];
	int rc = pmem_find(namespace, device, sizeof(device));

	return rc == -ENOENT ? 0 : rc ?: signature_wipe(device, filesystem);
}

static int take_down(const char *kind, char *what)
{
	int rc = 0;

	if (!strcmp(kind, "namespace")) {
		rc = pmem_destroy(what, patience_ms);
	} else if (!strcmp(kind, "signature")) {
		char *namespace = strchr(what, ' ');

		if (namespace) {
			*namespace = '\0';
			rc = wipe(what, namespace + 1);
		}
	} else if (!strcmp(kind, "directory")) {
		rc = remove_tree(AT_FDCWD, what);
		if (rc)
			rc = why_set(-rc, "cannot remove %s: %s", what, strerror(-rc));
	}
	if (rc)
		printf("# left behind: %s\n", why());
	return rc;
}

int reclaim(struct ledger *ledger)
{
	int rc = reclaim_processes(ledger);

	/* Who survives this keeps what it has, however long we wait. */
	patience_ms = rc ? 0 : RELEASE_MS;
	rc = rc ?: gate_remove_devices_of(strtoull(ledger->token, NULL, 16));
	if (rc)
		printf("# left behind: %s\n", why());
	rc = ledger_each(ledger, take_down) ?: rc;
	if (rc)
		ledger_leave(ledger);
	else
		ledger_end(ledger);
	return rc;
}

static int failures;

static void take(struct ledger *ledger)
{
	char token[sizeof(ledger->token)];

	snprintf(token, sizeof(token), "%s", ledger->token);
	if (reclaim(ledger))
		failures++;
	else
		printf("# cleaned up after run %s, which was killed\n", token);
}

int reclaim_dead(int *alive)
{
	failures = 0;
	*alive = ledger_take(take);
	return *alive < 0 ? *alive : failures;
}
