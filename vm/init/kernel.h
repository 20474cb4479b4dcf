/* SPDX-License-Identifier: GPL-2.0 */
/* What init asks of the kernel, and what the kernel has. */
#ifndef INIT_KERNEL_H
#define INIT_KERNEL_H

#include <stdbool.h>

/* Mounts what programs take for granted. */
void mount_all(void);

void insert_module(const char *path);

/* Returns false, having said so, if this kernel cannot run the suite. */
bool kernel_has_all(void);

/* Writes @text into the file @path. Some files of sysfs take no less than a line. */
void write_file(const char *path, const char *text);
void write_line(const char *path, const char *text);

/* Waits until there is a file @path, ten seconds at most. */
void await(const char *path);

/* Sets the time of day, in seconds since the Epoch. */
void set_clock(const char *seconds);

/*
 * Adds the bytes in @hex to what random numbers are made from: guests that start from one
 * snapshot would have the same ones.
 */
void add_entropy(const char *hex);

/* Milliseconds, CLOCK_MONOTONIC. */
long now_ms(void);

#endif
