// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tool.h"
#include "finding.h"

/* Copies @word to @out, with the page size in place of "%P". */
static void expand(const char *word, char *out, size_t size)
{
	const char *mark = strstr(word, "%P");

	if (mark)
		snprintf(out, size, "%.*s%ld%s", (int)(mark - word), word,
			 sysconf(_SC_PAGESIZE), mark + 2);
	else
		snprintf(out, size, "%s", word);
}

/* Reads @fd to its end, keeps as much as fits into @text, and closes it. */
static void read_all(int fd, char *text, size_t size)
{
	char rest[4096];
	size_t len = 0;
	ssize_t n;

	do {
		bool room = len < size - 1;

		n = read(fd, room ? text + len : rest, room ? size - 1 - len : sizeof(rest));
		len += room && n > 0 ? n : 0;
	} while (n > 0);
	text[len] = '\0';
	close(fd);
}

int tool_run(const char *const *words, const char *device, const char *package, char *said,
	     size_t size)
{
	char expanded[TOOL_MAX_ARGS][64], *argv[TOOL_MAX_ARGS + 2];
	posix_spawn_file_actions_t actions;
	int argc, rc, status, output[2];
	pid_t pid;

	for (argc = 0; words[argc] && argc < TOOL_MAX_ARGS; argc++) {
		expand(words[argc], expanded[argc], sizeof(expanded[argc]));
		argv[argc] = expanded[argc];
	}
	argv[argc++] = (char *)device;
	argv[argc] = NULL;

	if (pipe2(output, O_CLOEXEC))
		return why_set(errno, "cannot make a pipe: %s", strerror(errno));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output[1], STDERR_FILENO);
	rc = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(output[1]);
	if (rc) {
		close(output[0]);
		return why_set(EOPNOTSUPP, "cannot run %s (%s): install %s", argv[0], strerror(rc),
			       package);
	}
	read_all(output[0], said, size);
	if (waitpid(pid, &status, 0) != pid)
		return why_set(errno, "cannot wait for %s: %s", argv[0], strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
