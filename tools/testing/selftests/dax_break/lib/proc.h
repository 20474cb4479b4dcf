/* SPDX-License-Identifier: GPL-2.0 */
#ifndef DAX_BREAK_PROC_H
#define DAX_BREAK_PROC_H

#include <stddef.h>
#include <sys/types.h>

/* Reads /proc/@pid/@name, @size - 1 bytes at most, as a string; "" if that fails. */
void proc_read(pid_t pid, const char *name, char *text, size_t size);

#endif
