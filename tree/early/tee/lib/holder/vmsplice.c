// SPDX-License-Identifier: GPL-2.0
/*
 * Pages in pipes: vmsplice(2) takes a reference (FOLL_GET, fs/splice.c: iter_to_pipe()),
 * which lasts until somebody reads the pipe. It takes no privilege. A child that is forked
 * later inherits the pipe and keeps the reference alive, so fork first.
 */
#include <errno.h>
