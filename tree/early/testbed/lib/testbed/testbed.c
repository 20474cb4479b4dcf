// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdio.h>
#include <sys/vfs.h>
#include "dax_file.h"

static char dir[192];
static const struct filesystem *kind;
static pid_t owner;

/* At exit, but not at that of a forked child. */
static void teardown(void)
{
	if (getpid() == owner && rmdir(dir))
		fprintf(stderr, "# left behind: %s: %s\n", dir, strerror(errno));
}

/* The kind of filesystem that directory @named is on. */
static int find_kind(const char *named)
{
	struct statfs st;

	if (statfs(named, &st))
		return why_set(errno, "%s: %s", named, strerror(errno));
	while ((kind = filesystem_next(kind)))
		if (st.f_type == kind->magic)
			return 0;
	return why_set(EINVAL, "%s is not on a filesystem that is tested here", named);
}

int testbed_setup(char **argv)
{
	const char *named = getenv("DAX_BREAK_PMEM");
	int fd, rc;

	if (!named || !*named)
		return why_set(EOPNOTSUPP,
			       "no persistent memory: DAX_BREAK_PMEM=DIRECTORY on a DAX filesystem says what may be used");
	rc = find_kind(named);
	if (rc)
		return rc;
	snprintf(dir, sizeof(dir), "%s/dax_break.XXXXXX", named);
	if (!mkdtemp(dir))
		return why_set(errno, "cannot create %s: %s", dir, strerror(errno));
	owner = getpid();
	atexit(teardown);
	/* With dax=always there is nothing to ask for; that files are DAX is checked of each. */
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		dax_flag_set(fd, true);
		close(fd);
	}
	return 0;
}

const char *testbed_dir(const struct filesystem *fs)
{
	return fs == kind ? dir : NULL;
}

int testbed_require(const struct filesystem *fs)
{
	return fs == kind ? 0 : why_set(EOPNOTSUPP, "DAX_BREAK_PMEM names nothing on %s", fs->name);
}

/* Not made yet. */
const char *testbed_plain_dir(const struct filesystem *fs)
{
	return NULL;
}

/* It is mounted by somebody else. */
const char *testbed_mount(const struct filesystem *fs)
{
	return NULL;
}

int testbed_require_own(const struct filesystem *fs)
{
	return why_set(EOPNOTSUPP,
		       "somebody else has mounted this %s: it is neither unmounted nor filled up",
		       fs->name);
}

int testbed_mount_again(const struct filesystem *fs)
{
	return 0;
}
