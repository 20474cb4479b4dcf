/* SPDX-License-Identifier: GPL-2.0 */
/* Init's end of the serial port that connects it to the host; init.c says what goes over it. */
#ifndef INIT_HOST_H
#define INIT_HOST_H

#include <stdbool.h>

/* Opens the port. Until then, and if that fails, messages go to the console. */
void host_open(void);

/* Sends a message: a line, which is cut if it is longer than 4 KiB. */
void say(const char *fmt, ...);

/*
 * Asks for the next line, and adds it to *@order, which the caller frees. Returns false if
 * there is no host any more.
 */
bool host_receive(char **order);

/* Returns once all that was said is on its way. */
void host_drain(void);

#endif
