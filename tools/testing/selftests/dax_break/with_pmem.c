// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a command with the testbed made: a mounted DAX filesystem of every kind on
 * persistent memory of its own, gone again when the command ends, however it does.
 *
 *	with_pmem [-t] COMMAND [ARG ...]
 *
 * The exit status is the command's. -t is how test programs start themselves anew:
 * what goes wrong is then told as TAP.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filesystem.h"
#include "finding.h"
#include "testbed.h"
#include "testbed/make.h"

/* What asks us to end. */
static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };

static pid_t command;
/* A program of ours, which ends by the signal: but one may have a result to tell first. */
static bool polite;

/* So must the command, and then the testbed goes. */
static void on_signal(int signal)
{
	kill(command, polite ? signal : SIGKILL);
	polite = false;
}

static void handle(void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		sigaction(ends[i], &action, NULL);
}

static int run_command(char **argv, const sigset_t *set)
{
	pid_t self = getpid();
	int status;

	command = fork();
	if (!command) {
		handle(SIG_DFL);
		sigprocmask(SIG_UNBLOCK, set, NULL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != self)
			_exit(127);
		execvp(argv[0], argv);
		fprintf(stderr, "with_pmem: cannot run %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	if (command < 0)
		return KSFT_FAIL;
	handle(on_signal);
	sigprocmask(SIG_UNBLOCK, set, NULL);
	/* Not reaped yet, while a signal might still be passed on to it. */
	while (waitid(P_PID, command, &(siginfo_t){ 0 }, WEXITED | WNOWAIT))
		if (errno != EINTR)
			return KSFT_FAIL;
	sigprocmask(SIG_BLOCK, set, NULL);
	if (waitpid(command, &status, 0) != command)
		return KSFT_FAIL;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	const bool tap = argc > 1 && !strcmp(argv[1], "-t");
	sigset_t set;
	int rc;

	argv += 1 + tap;
	polite = tap;
	if (!argv[0]) {
		fprintf(stderr, "Usage: with_pmem COMMAND [ARG ...]\n");
		return KSFT_FAIL;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	/*
	 * The testbed is not left half made, nor half taken down: a signal waits for the
	 * command to be there, and is of no more use once that has ended.
	 */
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		sigaddset(&set, ends[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	rc = testbed_make();
	if (rc && tap) {
		ksft_print_header();
		if (rc == -EOPNOTSUPP)
			ksft_exit_skip("%s\n", why());
		ksft_exit_fail_msg("%s\n", why());
	}
	if (rc) {
		fprintf(stderr, "with_pmem: %s\n", why());
		return rc == -EOPNOTSUPP ? KSFT_SKIP : KSFT_FAIL;
	}
	if (!tap && !testbed_setup(argv))
		for (const struct filesystem *fs = NULL; (fs = filesystem_next(fs));)
			if (testbed_dir(fs))
				printf("# DAX files of %s: %s\n", fs->name, testbed_dir(fs));
	return run_command(argv, &set);
}
