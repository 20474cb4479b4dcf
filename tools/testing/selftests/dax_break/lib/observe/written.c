// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "finding.h"
#include "written.h"

/*
 * All tests use the same: they run one at a time, and take over what an earlier one left. It
 * takes the kernel long to make it, and to turn its event on.
 */
#define INSTANCE	"/sys/kernel/tracing/instances/dax_break"

/* As TP_printk() in include/trace/events/fs_dax.h writes it; the numbers are in hex. */
#define EVENT	"dax_writeback_one: dev %*d:%*d ino %llx pgoff %lx pglen %lx"

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	int rc = 0;

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		rc = why_set(errno, "cannot write %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

int written_begin(void)
{
	if (mkdir(INSTANCE, 0700) && errno != EEXIST)
		return why_set(EOPNOTSUPP,
			       "no trace instance (%s: %s): CONFIG_FTRACE, tracefs, root",
			       INSTANCE, strerror(errno));
	if (access(INSTANCE "/events/fs_dax/dax_writeback_one", F_OK)) {
		written_end();
		return why_set(EOPNOTSUPP,
			       "no tracepoint fs_dax:dax_writeback_one: CONFIG_FS_DAX, CONFIG_FTRACE");
	}
	return write_text(INSTANCE "/events/fs_dax/dax_writeback_one/enable", "1") ?:
	       write_text(INSTANCE "/trace", "");
}

int written_look(ino_t ino, bool *written, unsigned int count)
{
	FILE *f = fopen(INSTANCE "/trace", "re");
	char line[512];

	if (!f)
		return why_set(errno, "cannot read the trace: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		const char *event = strstr(line, "dax_writeback_one: ");
		unsigned long long whose;
		unsigned long first, pages;

		if (!event || sscanf(event, EVENT, &whose, &first, &pages) != 3 || whose != ino)
			continue;
		for (unsigned long page = first; page < first + pages && page < count; page++)
			written[page] = true;
	}
	fclose(f);
	return write_text(INSTANCE "/trace", "");
}

void written_end(void)
{
	/* It does not matter if this fails: there may be none, and a later test takes one over. */
	rmdir(INSTANCE);
}
