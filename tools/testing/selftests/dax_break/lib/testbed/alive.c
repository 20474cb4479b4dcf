// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alive.h"
#include "deadline.h"
#include "finding.h"
#include "testbed.h"

/* Of each filesystem, by filesystem_index(). */
struct bed_health {
	bool running;		/* a test has begun that has not come to its end */
	bool doubtful;
	bool dead;
	char last[128];		/* the test that began last */
};

static struct bed_health *health;

int alive_begin(void)
{
	health = mmap(NULL, FILESYSTEMS_MAX * sizeof(*health), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (health == MAP_FAILED)
		return why_set(ENOMEM, "no memory to share");
	return 0;
}

static void create_file(const char *dir)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/alive.%d", dir, getpid());
	fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	unlink(path);
}

/* Does the filesystem that @dir is on answer? True as well if nobody can be asked. */
static bool answers(const char *dir)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		create_file(dir);
		_exit(0);
	}
	if (pid < 0 || deadline_wait_child(pid, DEADLINE_MS, &status))
		return true;
	kill(pid, SIGKILL);
	return false;
}

int alive_enter(const struct filesystem *fs, const char *name)
{
	struct bed_health *bed = &health[filesystem_index(fs)];
	const char *dir = testbed_dir(fs);

	if (dir && !bed->dead && (bed->running || bed->doubtful)) {
		bed->dead = !answers(dir);
		bed->doubtful = false;
	}
	if (bed->dead)
		return why_set(EIO, "%s: creating a file does not end, since %s has run",
			       fs->name, bed->last);
	bed->running = true;
	snprintf(bed->last, sizeof(bed->last), "%s", name);
	return 0;
}

void alive_leave(const struct filesystem *fs)
{
	health[filesystem_index(fs)].running = false;
}

void alive_doubt(const struct filesystem *fs)
{
	if (health)
		health[filesystem_index(fs)].doubtful = true;
}
