/* SPDX-License-Identifier: GPL-2.0 */
/*
 * virtiofs whose server is our own (vm/virtiofs/ of the runner, which also describes its
 * orders and complaints, in control.h). Others are not touched: they do not have what the
 * tests need. @tag is what is mounted.
 */
#ifndef DAX_BREAK_VIRTIOFS_H
#define DAX_BREAK_VIRTIOFS_H

#include "why.h"

/* Says which tag may be used. */
#define VIRTIOFS_ENV	"DAX_BREAK_VIRTIOFS"

/* Removes all files. -EOPNOTSUPP: another server, or no such device. */
int virtiofs_format(const char *tag);

/* 0, or -EIO: the server complains. Nothing is mounted; no complaint is made twice. */
int virtiofs_check(const char *tag);

/*
 * The same of the mounted one at @mount: 0, or -EIO and the first complaint in why().
 */
int virtiofs_complaint(const char *mount);

/*
 * Gives the server of what is mounted at @mount an order, which holds until *@fd is
 * closed. *@fd is -1 before the first one.
 */
int __printf(3, 4) virtiofs_order(const char *mount, int *fd, const char *fmt, ...);

/*
 * What the server says of itself, after an order: how many replies it keeps back, and how
 * many ranges its DAX window has. 0 if it does not say.
 */
unsigned int virtiofs_held(int fd);
unsigned int virtiofs_ranges(int fd);

/* What is mapped at once into the window: bytes (FUSE_DAX_SZ, fs/fuse/dax.c). */
#define VIRTIOFS_RANGE	(2UL << 20)

#endif
