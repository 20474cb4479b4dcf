// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "kernel.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define AWAIT_MS	10000
#define PAUSE_US	10000

long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void mount_all(void)
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

void insert_module(const char *path)
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

bool kernel_has_all(void)
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

void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "init: cannot write %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

void write_line(const char *path, const char *text)
{
	char line[256];

	snprintf(line, sizeof(line), "%s\n", text);
	write_file(path, line);
}

void await(const char *path)
{
	long deadline = now_ms() + AWAIT_MS;

	while (access(path, F_OK) && now_ms() < deadline)
		usleep(PAUSE_US);
	if (access(path, F_OK))
		fprintf(stderr, "init: there is still no %s\n", path);
}

void set_clock(const char *seconds)
{
	struct timespec now = { .tv_sec = atoll(seconds) };

	if (clock_settime(CLOCK_REALTIME, &now))
		fprintf(stderr, "init: cannot set the clock: %s\n", strerror(errno));
}

void add_entropy(const char *hex)
{
	struct {
		struct rand_pool_info info;
		unsigned char bytes[64];
	} pool = { .info.entropy_count = 0 };
	int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
	size_t n = 0;

	while (n < sizeof(pool.bytes) && sscanf(hex + 2 * n, "%2hhx", &pool.bytes[n]) == 1)
		n++;
	pool.info.buf_size = n;
	pool.info.entropy_count = 8 * n;
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool) || ioctl(fd, RNDRESEEDCRNG))
		fprintf(stderr, "init: cannot add entropy: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
}
