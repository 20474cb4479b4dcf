// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deadline.h"
#include "finding.h"
#include "testbed/ledger.h"

#define LOCK_NAME	"lock"
#define SUFFIX		".run"
/* Who has the lock may be destroying namespaces. */
#define LOCK_MS		60000
#define MAX_BYTES	8192

static int lock_fd = -1;

/*
 * A lock of the process: unlike those of flock(2), no child of it keeps it. It goes when
 * the process closes any file descriptor of the file, so each is opened once.
 */
static bool lock(int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return !fcntl(fd, F_SETLK, &whole);
}

static int make_dir(const char *path)
{
	if (mkdir(path, 0700) && errno != EEXIST)
		return why_set(errno, "cannot create %s: %s", path, strerror(errno));
	return 0;
}

/* The directory of all ledgers. */
static int state_dir(char *path, size_t size)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char parent[160];

	if (!geteuid())
		snprintf(parent, sizeof(parent), "/var/lib");
	else if (state && state[0] == '/')
		snprintf(parent, sizeof(parent), "%s", state);
	else if (home && home[0] == '/')
		snprintf(parent, sizeof(parent), "%s/.local/state", home);
	else
		return why_set(EINVAL, "no place to note what is made: set HOME");
	snprintf(path, size, "%s/dax_break", parent);
	/* A parent that is missing has the reason told by make_dir(). */
	for (char *slash = parent + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		mkdir(parent, 0755);
	}
	mkdir(parent, 0755);
	return make_dir(path);
}

int ledger_lock(void)
{
	long deadline = deadline_in(LOCK_MS);
	char dir[200], path[256];
	int rc = state_dir(dir, sizeof(dir));

	if (rc)
		return rc;
	snprintf(path, sizeof(path), "%s/" LOCK_NAME, dir);
	lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock_fd < 0)
		return why_set(errno, "cannot open %s: %s", path, strerror(errno));
	while (!lock(lock_fd)) {
		if (deadline_over(deadline)) {
			ledger_unlock();
			return why_set(EBUSY, "another run keeps %s locked", path);
		}
		deadline_pause();
	}
	return 0;
}

void ledger_unlock(void)
{
	close(lock_fd);
	lock_fd = -1;
}

static int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return rc;
}

int ledger_begin(struct ledger *ledger)
{
	char dir[200];
	__u64 token;
	int rc = state_dir(dir, sizeof(dir)) ?: ledger_lock();

	if (rc)
		return rc;
	if (getrandom(&token, sizeof(token), 0) != sizeof(token))
		abort();	/* the kernel never gives less than 8 bytes */
	snprintf(ledger->token, sizeof(ledger->token), "%016llx", (unsigned long long)token);
	snprintf(ledger->path, sizeof(ledger->path), "%s/%s" SUFFIX, dir, ledger->token);
	ledger->fd = open(ledger->path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	if (ledger->fd < 0 || !lock(ledger->fd) || sync_dir(dir)) {
		rc = why_set(errno, "cannot create %s: %s", ledger->path, strerror(errno));
		if (ledger->fd >= 0)
			ledger_end(ledger);
	}
	ledger_unlock();
	return rc;
}

int ledger_note(const struct ledger *ledger, const char *kind, const char *what)
{
	char line[512];
	int len = snprintf(line, sizeof(line), "%s %s\n", kind, what);

	if (len < (int)sizeof(line) && write(ledger->fd, line, len) == len && !fsync(ledger->fd))
		return 0;
	return why_set(EIO, "cannot note '%s %s' in %s", kind, what, ledger->path);
}

int ledger_each(const struct ledger *ledger, int (*handle)(const char *kind, char *what))
{
	char text[MAX_BYTES];
	ssize_t len = pread(ledger->fd, text, sizeof(text) - 1, 0);
	int rc = 0;

	if (len < 0)
		return why_set(errno, "cannot read %s: %s", ledger->path, strerror(errno));
	text[len] = '\0';
	/* What follows the last end of line was not written out, and so not acted on. */
	for (char *end; (end = strrchr(text, '\n'));) {
		char *line, *space;
		int err;

		*end = '\0';
		line = strrchr(text, '\n');
		line = line ? line + 1 : text;
		space = strchr(line, ' ');
		if (space) {
			*space = '\0';
			err = handle(line, space + 1);
			rc = rc ?: err;
		}
		if (line == text)
			break;
		line[0] = '\0';
	}
	return rc;
}

void ledger_end(struct ledger *ledger)
{
	unlink(ledger->path);
	ledger_leave(ledger);
}

void ledger_leave(struct ledger *ledger)
{
	close(ledger->fd);
	ledger->fd = -1;
}

enum state { GONE, ALIVE, DEAD };

/* Opens the ledger @name in @dir, and locks it if its run is dead; else closes it. */
static enum state open_ledger(struct ledger *ledger, const char *dir, const char *name)
{
	enum state state = GONE;
	struct stat st;

	snprintf(ledger->path, sizeof(ledger->path), "%s/%s", dir, name);
	snprintf(ledger->token, sizeof(ledger->token), "%.16s", name);
	ledger->fd = open(ledger->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (ledger->fd < 0)
		return GONE;
	if (!lock(ledger->fd))
		state = ALIVE;
	else if (!fstat(ledger->fd, &st) && st.st_nlink)
		state = DEAD;
	if (state != DEAD)
		ledger_leave(ledger);
	return state;
}

int ledger_take(void (*take)(struct ledger *ledger))
{
	struct ledger ledger;
	struct dirent *entry;
	char path[200];
	int alive = 0;
	DIR *dir;
	int rc = state_dir(path, sizeof(path)) ?: ledger_lock();

	if (rc)
		return rc;
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (strlen(entry->d_name) != 16 + strlen(SUFFIX) ||
		    strcmp(entry->d_name + 16, SUFFIX))
			continue;
		switch (open_ledger(&ledger, path, entry->d_name)) {
		case DEAD:
			take(&ledger);
			break;
		case ALIVE:
			alive++;
			break;
		case GONE:
			break;
		}
	}
	if (dir)
		closedir(dir);
	ledger_unlock();
	return alive;
}
