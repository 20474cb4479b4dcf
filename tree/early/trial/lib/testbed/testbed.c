// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

static char dir[192];
static pid_t owner;

/* At exit, but not at that of a forked child. */
static void teardown(void)
{
	if (getpid() == owner && rmdir(dir))
		fprintf(stderr, "# left behind: %s: %s\n", dir, strerror(errno));
}

int testbed_setup(void)
{
	const char *named = getenv("DAX_BREAK_PMEM");

	if (!named || !*named)
		return why_set(EOPNOTSUPP,
			       "no persistent memory: DAX_BREAK_PMEM=DIRECTORY on a DAX filesystem says what may be used");
	snprintf(dir, sizeof(dir), "%s/dax_break.XXXXXX", named);
	if (!mkdtemp(dir))
		return why_set(errno, "cannot create %s: %s", dir, strerror(errno));
	owner = getpid();
	atexit(teardown);
	return 0;
}

const char *testbed_dir(void)
{
	return dir;
}
