// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a command with the testbed set up: a mounted DAX filesystem of every kind
 * on persistent memory of its own, gone again when the command ends.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filesystem.h"
#include "testbed.h"
#include "why.h"

int main(int argc, char **argv)
{
	int rc, status;
	pid_t pid;

	if (argc < 2) {
		fprintf(stderr, "Usage: %s COMMAND [ARG ...]\n", argv[0]);
		return KSFT_FAIL;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	rc = testbed_setup();
	if (rc) {
		fprintf(stderr, "%s: %s\n", argv[0], why());
		return rc == -EOPNOTSUPP ? KSFT_SKIP : KSFT_FAIL;
	}
	for (const struct filesystem *fs = filesystems; fs->name; fs++)
		if (testbed_dir(fs->name))
			printf("# DAX files of %s: %s\n", fs->name, testbed_dir(fs->name));
	pid = fork();
	if (!pid) {
		execvp(argv[1], argv + 1);
		fprintf(stderr, "%s: cannot run %s: %s\n", argv[0], argv[1], strerror(errno));
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return KSFT_FAIL;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
