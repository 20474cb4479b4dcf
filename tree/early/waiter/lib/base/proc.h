/* SPDX-License-Identifier: GPL-2.0 */
/* What /proc tells about a task at one moment. A task that is gone reads as idle. */
#ifndef DAX_BREAK_BASE_PROC_H
#define DAX_BREAK_BASE_PROC_H

/* Reads /proc/@pid/@name into @text, up to @size - 1 bytes of it; "" if that fails. */
void proc_read(pid_t pid, const char *name, char *text, size_t size);

#endif
