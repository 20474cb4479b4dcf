// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of the guest: make the machine usable, follow orders, report.
 *
 * The host and init talk over a serial port of their own (/dev/ttyS1; the kernel's
 * console is ttyS0), in lines. The first word of a message to the host says what it is:
 *
 *	boot VERSION		the guest is up (uname -r)
 *	missing CONFIG_X ...	this kernel cannot run the suite
 *	begin PROGRAM		a test program starts
 *	out TEXT		a line of its output
 *	end PROGRAM STATUS	it is over: exit status, "signal N" or "timeout"
 *	left COUNT		so many of its processes survive SIGKILL
 *	next			the host may send a line
 *	done			the guest powers off
 *
 * The first orders, one a line, are in /plan: they make the guest ready. All others come
 * from the host, a line for each "next". A line that ends with a backslash goes on in the
 * next one, since a serial port loses what is sent faster than it is read.
 *
 *	insmod FILE		insert a kernel module (host gives them in order)
 *	check			report missing features (host knows no .config)
 *	await FILE		until it is there: drivers find their devices in their own time
 *	write FILE TEXT		into a file, of sysfs most likely
 *	env NAME=VALUE		for all programs that follow
 *	clock SECONDS		set the time of day (since the Epoch)
 *	entropy HEX		for the kernel's random numbers
 *	testbed SECONDS		make filesystems for all programs that follow (with_pmem)
 *	run SECONDS PROGRAM [ARG ...]	a test program and its time limit
 *	shell PROGRAM [ARG ...]	an interactive program on the console
 *	off			say "done", and power off
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/utsname.h>

#include "host.h"
#include "kernel.h"
#include "program.h"

#define MAX_ARGS	16384

static int split(char *line, char **argv)
{
	int argc = 0;

	for (char *word = strtok(line, " "); word && argc < MAX_ARGS - 1;
	     word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	return argc;
}

/* Returns false if that was the last order. */
static bool follow_order(char *line)
{
	static char *argv[MAX_ARGS];
	int argc;

	if (!strncmp(line, "env ", 4)) {
		putenv(strdup(line + 4));
		return true;
	}
	argc = split(line, argv);
	if (argc == 2 && !strcmp(argv[0], "insmod"))
		insert_module(argv[1]);
	else if (argc == 1 && !strcmp(argv[0], "check"))
		return kernel_has_all();
	else if (argc == 2 && !strcmp(argv[0], "await"))
		await(argv[1]);
	else if (argc == 3 && !strcmp(argv[0], "write"))
		write_line(argv[1], argv[2]);
	else if (argc == 2 && !strcmp(argv[0], "clock"))
		set_clock(argv[1]);
	else if (argc == 2 && !strcmp(argv[0], "entropy"))
		add_entropy(argv[1]);
	else if (argc == 2 && !strcmp(argv[0], "testbed"))
		testbed_make(atoi(argv[1]));
	else if (argc > 2 && !strcmp(argv[0], "run"))
		program_run(argv + 2, atoi(argv[1]));
	else if (argc > 1 && !strcmp(argv[0], "shell"))
		program_shell(argv + 1);
	else if (argc == 1 && !strcmp(argv[0], "off"))
		return false;
	else if (argc)
		fprintf(stderr, "init: no such order: %s\n", argv[0]);
	return true;
}

static bool follow_plan(void)
{
	FILE *plan = fopen("/plan", "re");
	char *line = NULL;
	size_t size = 0;
	bool more = true;

	while (more && plan && getline(&line, &size, plan) > 0) {
		line[strcspn(line, "\n")] = '\0';
		more = follow_order(line);
	}
	if (plan)
		fclose(plan);
	free(line);
	return more;
}

static void follow_host(void)
{
	char *order = NULL;

	for (bool more = true; more; order = NULL) {
		more = host_receive(&order) && follow_order(order);
		free(order);
	}
}

int main(int argc, char **argv)
{
	struct utsname uts;

	if (argc > 1 && !strcmp(argv[1], "keep"))
		testbed_keep();
	mount_all();
	host_open();
	/* The boot was quiet, to be fast; from now on the console is evidence. */
	write_file("/proc/sys/kernel/printk", "7");
	putenv("PATH=/bin:/sbin:/usr/bin:/usr/sbin");
	putenv("HOME=/");
	uname(&uts);
	say("boot %s", uts.release);

	program_begin();
	if (follow_plan())
		follow_host();

	say("done");
	host_drain();
	reboot(RB_POWER_OFF);
	return 0;
}
