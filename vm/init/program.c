// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "kernel.h"
#include "program.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PAUSE_US	10000
/* A thread of the kernel: flags in /proc/PID/stat (include/linux/sched.h). */
#define PF_KTHREAD	0x00200000
/* How long killed programs get to go away; a task in state D never does. */
#define REAP_MS		2000

static int sigfd;
/* The testbed: who keeps it, and the mount namespace that it is in. */
static pid_t keeper;
static int mounts = -1;

void program_begin(void)
{
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	sigfd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* A program that is running. */
struct program {
	pid_t pid;
	int out, status;
	bool over, eof, timeout;
	long deadline;
	size_t len;		/* of an unfinished line of its output */
	char buf[4096];
};

/* Forwards whole lines. */
static void forward(struct program *p)
{
	ssize_t n;

	while ((n = read(p->out, p->buf + p->len, sizeof(p->buf) - 1 - p->len)) > 0) {
		char *line = p->buf, *end;

		p->len += n;
		p->buf[p->len] = '\0';
		while ((end = strchr(line, '\n'))) {
			*end = '\0';
			say("out %s", line);
			line = end + 1;
		}
		p->len -= line - p->buf;
		memmove(p->buf, line, p->len);
		if (p->len == sizeof(p->buf) - 1) {
			say("out %s", p->buf);
			p->len = 0;
		}
	}
}

static void start(char *const *argv, int out)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (mounts >= 0 && setns(mounts, CLONE_NEWNS))
		printf("init: the testbed is not there: %s\n", strerror(errno));
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execv(argv[0], argv);
	printf("init: cannot run %s: %s\n", argv[0], strerror(errno));
	fflush(stdout);
	_exit(127);
}

/* Reaps everything that ended; true once @child is among it. */
static bool reap(pid_t child, int *status)
{
	bool found = false;
	int st;

	for (pid_t pid; (pid = waitpid(-1, &st, WNOHANG)) > 0;) {
		if (pid == child) {
			*status = st;
			found = true;
		}
	}
	return found;
}

/* Is @pid a process that can be killed, and none of those that keep the testbed? */
static bool is_game(const char *pid)
{
	unsigned int flags;
	char path[64], state;
	int session;
	bool game;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	f = fopen(path, "re");
	game = f && fscanf(f, "%*d (%*[^)]) %c %*d %*d %d %*d %*d %u", &state, &session,
			   &flags) == 3;
	if (f)
		fclose(f);
	return game && !strchr("ZX", state) && !(flags & PF_KTHREAD) &&
	       (!keeper || session != keeper);
}

/* Kills all processes but those. Returns how many there were. */
static int kill_all(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	while (proc && (entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 1 && is_game(entry->d_name)) {
			kill(pid, SIGKILL);
			count++;
		}
	}
	if (proc)
		closedir(proc);
	return count;
}

/* Whatever a program left running must not disturb the next one. */
static void clean_up(void)
{
	long deadline = now_ms() + REAP_MS;
	int left, status;

	while ((left = kill_all()) && now_ms() < deadline) {
		reap(0, &status);
		usleep(PAUSE_US);
	}
	if (left)
		say("left %d", left);
}

/* Time is up: the program, and all that it has started, is killed. */
static void stop(struct program *p)
{
	p->timeout = true;
	/* Their stacks go to the console, which the host keeps. */
	write_file("/proc/sysrq-trigger", "w");
	kill_all();
	p->deadline = now_ms() + REAP_MS;
}

/* Forwards its output until it is over, or cannot even be killed. */
static void follow(struct program *p)
{
	struct signalfd_siginfo si;

	while (!p->over) {
		struct pollfd fds[] = {
			{ .fd = sigfd, .events = POLLIN },
			/* At its end a pipe is readable for ever: not polled then. */
			{ .fd = p->eof ? -1 : p->out, .events = POLLIN },
		};
		long left = p->deadline - now_ms();

		if (left <= 0 && p->timeout)
			break;
		if (left <= 0) {
			stop(p);
			continue;
		}
		poll(fds, ARRAY_SIZE(fds), left);
		if (fds[0].revents & POLLIN && read(sigfd, &si, sizeof(si)) < 0)
			continue;
		p->eof |= (fds[1].revents & (POLLIN | POLLHUP)) == POLLHUP;
		p->over = reap(p->pid, &p->status);
		forward(p);
	}
	forward(p);
	if (p->len)
		say("out %.*s", (int)p->len, p->buf);
}

/* Starts a program whose output comes to us. */
static bool spawn(struct program *p, char *const *argv, int seconds)
{
	int out[2];

	memset(p, 0, sizeof(*p));
	if (pipe2(out, O_CLOEXEC))
		return false;
	p->pid = fork();
	if (!p->pid)
		start(argv, out[1]);
	close(out[1]);
	p->out = out[0];
	p->deadline = now_ms() + seconds * 1000L;
	return p->pid > 0;
}

void program_run(char **argv, int seconds)
{
	const char *name = strrchr(argv[0], '/') + 1;
	static struct program p;

	say("begin %s", name);
	if (!spawn(&p, argv, seconds)) {
		say("end %s signal 0", name);
		return;
	}
	fcntl(p.out, F_SETFL, O_NONBLOCK);
	follow(&p);
	close(p.out);
	if (p.timeout)
		say("end %s timeout", name);
	else if (WIFSIGNALED(p.status))
		say("end %s signal %d", name, WTERMSIG(p.status));
	else
		say("end %s %d", name, WEXITSTATUS(p.status));
	clean_up();
}

/*
 * The testbed is there as long as the command of with_pmem runs: that is this program
 * again, by testbed_keep(), which tells us the environment that it was given.
 */
void testbed_make(int seconds)
{
	static char *const argv[] = { "/bin/with_pmem", "/init", "keep", NULL };
	static struct program p;
	char line[1024], path[64];
	FILE *told;

	if (!spawn(&p, argv, seconds))
		return;
	told = fdopen(p.out, "re");
	while (told && fgets(line, sizeof(line), told) && strcmp(line, "kept\n")) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "DAX_BREAK_", 10)) {
			putenv(strdup(line));
			keeper = p.pid;
		} else {
			fprintf(stderr, "init: testbed: %s\n", line);
		}
	}
	if (!keeper)
		return;
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", keeper);
	mounts = open(path, O_RDONLY | O_CLOEXEC);
}

void testbed_keep(void)
{
	for (char **setting = environ; *setting; setting++)
		if (!strncmp(*setting, "DAX_BREAK_", 10))
			puts(*setting);
	puts("kept");
	fflush(stdout);
	for (;;)
		pause();
}

void program_shell(char **argv)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		int tty;

		setsid();
		tty = open("/dev/ttyS0", O_RDWR);
		ioctl(tty, TIOCSCTTY, 1);
		for (int fd = 0; fd < 3; fd++)
			dup2(tty, fd);
		execv(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) != pid)
		;
}
