// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of the guest: make the machine usable, run the plan, report, power off.
 *
 * Everything that the host must know travels over a serial port of its own
 * (/dev/ttyS1; the kernel's console is ttyS0), one line per message, the first
 * word saying what it is:
 *
 *	boot VERSION		the guest is up (uname -r)
 *	missing CONFIG_X ...	this kernel cannot run the suite; nothing was run
 *	begin PROGRAM		a test program starts
 *	out TEXT		a line of its output
 *	end PROGRAM STATUS	it is over: exit status, "signal N" or "timeout"
 *	done			all was run; whoever does not see this saw a crash
 *
 * What to do is in /plan, one order a line:
 *
 *	insmod FILE		insert a kernel module (host gives them in order)
 *	check			report missing features (host knows no .config)
 *	await FILE		until it is there: drivers find their devices in their own time
 *	write FILE TEXT		into a file, of sysfs most likely
 *	env NAME=VALUE		for all programs that follow
 *	run SECONDS PROGRAM [ARG ...]	a test program and its time limit
 *	shell PROGRAM [ARG ...]	an interactive program on the console
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MAX_ARGS	16384
#define AWAIT_MS	10000
#define PAUSE_US	10000
/* How long killed programs get to go away; a task in state D never does. */
#define REAP_MS		2000

static int channel = STDERR_FILENO;

static void say(const char *fmt, ...)
{
	char line[4096];
	size_t len, done;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	strcat(line, "\n");
	len = strlen(line);
	for (done = 0; done < len;) {
		ssize_t n = write(channel, line + done, len - done);

		if (n < 0 && errno != EINTR)
			return;
		done += n > 0 ? n : 0;
	}
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void mount_all(void)
{
	static const struct {
		const char *type, *where;
	} mounts[] = {
		{ "proc", "/proc" },
		{ "sysfs", "/sys" },
		{ "devtmpfs", "/dev" },
		{ "debugfs", "/sys/kernel/debug" },
		{ "tracefs", "/sys/kernel/tracing" },
		{ "tmpfs", "/tmp" },
		{ "tmpfs", "/run" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		mkdir(mounts[i].where, 0755);
		mount(mounts[i].type, mounts[i].where, mounts[i].type, 0, NULL);
	}
}

/* A line discipline would change what the programs print: raw. */
static void open_channel(void)
{
	struct termios tio;
	int fd = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (!tcgetattr(fd, &tio)) {
		cfmakeraw(&tio);
		cfsetspeed(&tio, B115200);
		tcsetattr(fd, TCSANOW, &tio);
	}
	channel = fd;
}

static void insert_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
		fprintf(stderr, "init: cannot insert %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static bool file_has(const char *path, const char *needle)
{
	FILE *f = fopen(path, "re");
	char line[512];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, needle);
	if (f)
		fclose(f);
	return found;
}

/* Returns false, having said so, if this kernel cannot run the suite. */
static bool kernel_has_all(void)
{
	static const struct {
		const char *config, *path, *needle;
	} needs[] = {
		{ "CONFIG_EXT4_FS", "/proc/filesystems", "\text4\n" },
		{ "CONFIG_XFS_FS", "/proc/filesystems", "\txfs\n" },
		{ "CONFIG_LIBNVDIMM", "/sys/bus/nd", NULL },
		{ "CONFIG_ACPI_NFIT", "/sys/bus/acpi/drivers/nfit", NULL },
		{ "CONFIG_BLK_DEV_PMEM", "/sys/bus/nd/drivers/nd_pmem", NULL },
		{ "CONFIG_FS_DAX", "/proc/kallsyms", " dax_iomap_rw" },
		{ "CONFIG_ZONE_DEVICE", "/proc/kallsyms", " memremap_pages" },
	};
	char missing[512] = "";

	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		if (needs[i].needle ? file_has(needs[i].path, needs[i].needle) :
				      !access(needs[i].path, F_OK))
			continue;
		strcat(missing, " ");
		strcat(missing, needs[i].config);
	}
	if (missing[0])
		say("missing%s", missing);
	return !missing[0];
}

static int split(char *line, char **argv)
{
	int argc = 0;

	for (char *word = strtok(line, " "); word && argc < MAX_ARGS - 1;
	     word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	return argc;
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

static void start(char **argv, int out)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
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

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "init: cannot write %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* Some files of sysfs take no less than a line. */
static void write_line(const char *path, const char *text)
{
	char line[256];

	snprintf(line, sizeof(line), "%s\n", text);
	write_file(path, line);
}

static void await(const char *path)
{
	long deadline = now_ms() + AWAIT_MS;

	while (access(path, F_OK) && now_ms() < deadline)
		usleep(PAUSE_US);
	if (access(path, F_OK))
		fprintf(stderr, "init: there is still no %s\n", path);
}

/* Time is up: the program, and all that it has started, is killed. */
static void stop(struct program *p)
{
	p->timeout = true;
	/* Their stacks go to the console, which the host keeps. */
	write_file("/proc/sysrq-trigger", "w");
	kill(-1, SIGKILL);
	p->deadline = now_ms() + REAP_MS;
}

/* Forwards its output until it is over, or cannot even be killed. */
static void follow(struct program *p, int sigfd)
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

static void run(char **argv, int seconds, int sigfd)
{
	const char *name = strrchr(argv[0], '/') + 1;
	static struct program p;
	int out[2];

	say("begin %s", name);
	memset(&p, 0, sizeof(p));
	p.pid = pipe2(out, O_CLOEXEC) ? -1 : fork();
	if (p.pid < 0) {
		say("end %s signal 0", name);
		return;
	}
	if (!p.pid)
		start(argv, out[1]);
	close(out[1]);
	p.out = out[0];
	fcntl(p.out, F_SETFL, O_NONBLOCK);
	p.deadline = now_ms() + seconds * 1000L;
	follow(&p, sigfd);
	close(p.out);

	/* Whatever the program left running must not disturb the next one. */
	kill(-1, SIGKILL);
	if (p.timeout)
		say("end %s timeout", name);
	else if (WIFSIGNALED(p.status))
		say("end %s signal %d", name, WTERMSIG(p.status));
	else
		say("end %s %d", name, WEXITSTATUS(p.status));
}

static void shell(char **argv)
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

static void follow_plan(int sigfd)
{
	static char *argv[MAX_ARGS];
	FILE *plan = fopen("/plan", "re");
	char *line = NULL;
	size_t size = 0;

	while (plan && getline(&line, &size, plan) > 0) {
		int argc;

		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "env ", 4)) {
			putenv(strdup(line + 4));
			continue;
		}
		argc = split(line, argv);
		if (argc == 2 && !strcmp(argv[0], "insmod"))
			insert_module(argv[1]);
		else if (argc == 1 && !strcmp(argv[0], "check") && !kernel_has_all())
			break;
		else if (argc == 2 && !strcmp(argv[0], "await"))
			await(argv[1]);
		else if (argc == 3 && !strcmp(argv[0], "write"))
			write_line(argv[1], argv[2]);
		else if (argc > 2 && !strcmp(argv[0], "run"))
			run(argv + 2, atoi(argv[1]), sigfd);
		else if (argc > 1 && !strcmp(argv[0], "shell"))
			shell(argv + 1);
	}
	if (plan)
		fclose(plan);
	free(line);
}

int main(void)
{
	struct utsname uts;
	sigset_t chld;
	int sigfd;

	mount_all();
	open_channel();
	/* The boot was quiet, to be fast; from now on the console is evidence. */
	write_file("/proc/sys/kernel/printk", "7");
	putenv("PATH=/bin:/sbin:/usr/bin:/usr/sbin");
	putenv("HOME=/");
	uname(&uts);
	say("boot %s", uts.release);

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	sigfd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	follow_plan(sigfd);

	say("done");
	tcdrain(channel);
	reboot(RB_POWER_OFF);
	return 0;
}
