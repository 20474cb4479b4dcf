/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tool: a program of the machine's, such as mkfs, run on a device.
 */
#ifndef DAX_BREAK_TOOL_H
#define DAX_BREAK_TOOL_H

#include <stddef.h>

/* Words of a command at most. */
#define TOOL_MAX_ARGS	16

/*
 * Runs @words (which end with NULL; "%P" in one is the page size) and @device, and waits
 * for its end. Returns its exit status, and the beginning of what it has printed in @said;
 * or -EOPNOTSUPP if there is no such program, which @package has.
 */
int tool_run(const char *const *words, const char *device, const char *package, char *said,
	     size_t size);

#endif
