// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"

/* More than anybody reads. What does not fit is on standard error only. */
static char complaints[16384];

static void print(const char *fmt, va_list ap)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	fprintf(stderr, "[%6ld.%03ld] ", (long)now.tv_sec, now.tv_nsec / 1000000);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print(fmt, ap);
	va_end(ap);
}

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print(fmt, ap);
	va_end(ap);
	exit(EXIT_FAILURE);
}

void complain(const char *fmt, ...)
{
	size_t len = strlen(complaints);
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	note("COMPLAINT %s", line);
	if (len + strlen(line) + 1 < sizeof(complaints))
		sprintf(complaints + len, "%s\n", line);
}

const char *complaints_text(void)
{
	return complaints;
}

void complaints_clear(void)
{
	complaints[0] = '\0';
}
