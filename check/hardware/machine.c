// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filesystem/make.h"
#include "kselftest.h"
#include "machine.h"
#include "memory/pmem.h"
#include "memory/pmem_guest.h"
#include "finding.h"

#define MIB		(1024 * 1024ULL)
#define OUTPUT		"/run/output"
#define MAX_STATE	65536

struct machine_namespace machine_neighbour, machine_empty[2], machine_stranger;
static __u64 sums[2];

static void need(bool good, const char *what)
{
	if (!good)
		ksft_exit_fail_msg("the machine cannot be set up: %s\n", what);
}

static void read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

void machine_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		ksft_print_msg("cannot write %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* A checksum, FNV-1a of 64-bit words, of all that can be read from a device. */
static __u64 sum_of(const char *device)
{
	static __u64 words[8192];
	__u64 sum = 0xcbf29ce484222325ULL;
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	while (fd >= 0 && (n = read(fd, words, sizeof(words))) > 0)
		for (size_t i = 0; i < n / sizeof(*words); i++)
			sum = (sum ^ words[i]) * 0x100000001b3ULL;
	if (fd >= 0)
		close(fd);
	return sum;
}

/* Finds the name of the namespace that has its UUID. */
static void find_name(struct machine_namespace *ns)
{
	DIR *dir = opendir("/sys/bus/nd/devices");
	struct dirent *entry;
	char path[512], uuid[64];

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/sys/bus/nd/devices/%s/uuid", entry->d_name);
		read_file(path, uuid, sizeof(uuid));
		if (!strncmp(entry->d_name, "namespace", 9) && !strcmp(uuid, ns->uuid))
			snprintf(ns->name, sizeof(ns->name), "%.31s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	need(ns->name[0], "a namespace has no name");
}

static void make_namespace(struct machine_namespace *ns, __u64 size)
{
	read_file("/proc/sys/kernel/random/uuid", ns->uuid, sizeof(ns->uuid));
	need(!pmem_carve(size, ns->uuid, ns->device, sizeof(ns->device)), why());
	find_name(ns);
}

/* Makes a filesystem with something in it. */
static void make_data(const char *device)
{
	static const char dir[] = "/mnt/fill";
	const struct filesystem *fs = filesystem_find("ext4");
	static char text[65536];
	int fd;

	mkdir(dir, 0755);
	need(!filesystem_format(fs, device), why());
	need(!mount(device, dir, "ext4", 0, NULL), "mount");
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i * 7 + i / 251;
	fd = open("/mnt/fill/data", O_RDWR | O_CREAT, 0644);
	for (int i = 0; i < 256; i++)
		need(write(fd, text, sizeof(text)) == sizeof(text), "write");
	close(fd);
	need(!umount(dir), "umount");
	rmdir(dir);
}

void machine_setup(void)
{
	/* This leaves NVDIMM 1 alone, which has no room for labels. */
	pmem_init_labels();
	make_namespace(&machine_neighbour, 64 * MIB);
	make_namespace(&machine_empty[0], 272 * MIB);
	make_namespace(&machine_empty[1], 336 * MIB);
	make_data(machine_neighbour.device);

	snprintf(machine_stranger.name, sizeof(machine_stranger.name), "namespace1.0");
	snprintf(machine_stranger.device, sizeof(machine_stranger.device), "/dev/pmem1");
	need(!access(machine_stranger.device, F_OK), "there is no second NVDIMM");
	make_data(machine_stranger.device);
	mkdir("/var", 0755);
	sums[0] = sum_of(machine_neighbour.device);
	sums[1] = sum_of(machine_stranger.device);
}

bool machine_data_intact(void)
{
	bool neighbour = sum_of(machine_neighbour.device) == sums[0];
	bool stranger = sum_of(machine_stranger.device) == sums[1];

	if (!neighbour)
		ksft_print_msg("%s has changed\n", machine_neighbour.device);
	if (!stranger)
		ksft_print_msg("%s has changed\n", machine_stranger.device);
	return neighbour && stranger;
}

static int compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static size_t add(char *state, size_t len, const char *what, const char *name,
		  const char *value)
{
	return len + snprintf(state + len, MAX_STATE - len, "%s %s %s\n", what, name, value);
}

/* A seed is left out: it has no size, no name and no UUID. */
static size_t add_namespace(char *state, size_t len, const char *name)
{
	static const char *const attributes[] = {
		"uuid", "size", "alt_name", "mode", "force_raw", "holder",
	};
	char path[512], value[128], all[1024] = "";
	bool seed = true;

	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		snprintf(path, sizeof(path), "/sys/bus/nd/devices/%s/%s", name, attributes[i]);
		read_file(path, value, sizeof(value));
		if (i < 3 && value[0] && strcmp(value, "0"))
			seed = false;
		strncat(all, value[0] ? value : "-", sizeof(all) - strlen(all) - 1);
		strncat(all, " ", sizeof(all) - strlen(all) - 1);
	}
	return seed ? len : add(state, len, "namespace", name, all);
}

/* Kernel threads, which have no command line, are left out. */
static size_t add_process(char *state, size_t len, const char *pid)
{
	char path[300], command[128];

	if (!isdigit((unsigned char)pid[0]))
		return len;
	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	read_file(path, command, sizeof(command));
	return command[0] ? add(state, len, "process", pid, command) : len;
}

/* What to look at in a directory: names that begin and end like this. */
struct place {
	const char *dir, *prefix, *suffix;
	size_t (*add)(char *state, size_t len, const char *name);	/* NULL: just the name */
};

static bool belongs(const struct place *place, const char *name)
{
	size_t size = strlen(name), tail = strlen(place->suffix);

	return name[0] != '.' && size >= tail &&
	       !strncmp(name, place->prefix, strlen(place->prefix)) &&
	       !strcmp(name + size - tail, place->suffix);
}

static size_t add_place(char *state, size_t len, const struct place *place)
{
	struct dirent **entries;
	int n = scandir(place->dir, &entries, NULL, compare);

	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;

		if (belongs(place, name))
			len = place->add ? place->add(state, len, name) :
					   add(state, len, "entry", place->dir, name);
	}
	return len;
}

static size_t add_mounts(char *state, size_t len)
{
	FILE *mounts = fopen("/proc/self/mounts", "re");
	char line[512];

	while (mounts && fgets(line, sizeof(line), mounts))
		len = add(state, len, "mount", "", line);
	if (mounts)
		fclose(mounts);
	return len;
}

char *machine_state(void)
{
	static const struct place places[] = {
		{ "/sys/bus/nd/devices", "namespace", "", add_namespace },
		{ "/dev", "pmem", "", NULL },
		{ "/dev", "ublk", "", NULL },
		{ "/dev", "dm-", "", NULL },
		{ "/tmp", "", "", NULL },
		{ "/mnt", "", "", NULL },
		{ "/var/lib/dax_break", "", ".run", NULL },
		{ "/proc", "", "", add_process },
	};
	char *state = calloc(1, MAX_STATE);
	size_t len = 0;

	if (!state)
		ksft_exit_fail_msg("no memory\n");
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		len = add_place(state, len, &places[i]);
	add_mounts(state, len);
	return state;
}

const char *machine_named(const struct machine_namespace *ns, unsigned int nr)
{
	static char text[256];
	size_t len = 0;

	for (unsigned int i = 0; i < nr; i++)
		len += snprintf(text + len, sizeof(text) - len, "%s%s=%s", i ? "," : "", ns[i].name,
				ns[i].uuid);
	return text;
}

pid_t machine_start(const char *pmem, const char *fs, uid_t uid, const char *const argv[])
{
	pid_t pid = fork();
	int fd;

	if (pid)
		return pid;
	setsid();
	fd = open(OUTPUT, O_RDWR | O_CREAT | O_TRUNC, 0644);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	unsetenv("DAX_BREAK_PMEM");
	unsetenv("DAX_BREAK_FS");
	if (pmem)
		setenv("DAX_BREAK_PMEM", pmem, 1);
	if (fs)
		setenv("DAX_BREAK_FS", fs, 1);
	if (uid && (setgid(uid) || setuid(uid) || setenv("HOME", "/run/home", 1)))
		_exit(126);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

int machine_wait(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int machine_run(const char *pmem, const char *fs, uid_t uid, const char *const argv[])
{
	return machine_wait(machine_start(pmem, fs, uid, argv));
}

const char *machine_output(void)
{
	static char text[65536];
	int fd = open(OUTPUT, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

bool machine_said(const char *text)
{
	return strstr(machine_output(), text);
}
