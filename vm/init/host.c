// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "host.h"

#define MAX_LINE	2048

static int channel = STDERR_FILENO;

void say(const char *fmt, ...)
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

/* A line discipline would change what the programs print: raw. */
void host_open(void)
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

bool host_receive(char **order)
{
	size_t len = *order ? strlen(*order) : 0, end = len + MAX_LINE - 1;
	char *line = realloc(*order, end + 1);
	ssize_t n = line ? 1 : 0;

	if (line)
		*order = line;
	say("next");
	while (n > 0 && len < end) {
		n = read(channel, line + len, end - len);
		len += n > 0 ? n : 0;
		if (n > 0 && line[len - 1] == '\n')
			break;
	}
	if (n <= 0)
		return false;
	line[len - 1] = '\0';
	if (len < 2 || line[len - 2] != '\\')
		return true;
	line[len - 2] = '\0';
	return host_receive(order);
}

void host_drain(void)
{
	tcdrain(channel);
}
