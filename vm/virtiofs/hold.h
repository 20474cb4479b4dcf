/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Replies that are kept back.
 */
#ifndef VIRTIOFS_HOLD_H
#define VIRTIOFS_HOLD_H

#include <stddef.h>

#include "virtqueue.h"

/* Keeps the @len bytes of a @reply to the request @in, for @chain of @queue. */
void hold_reply(struct virtqueue *queue, const struct chain *chain, const void *in,
		const void *reply, size_t len);

unsigned int hold_count(void);

/* Sends all of them, in the order in which they came. */
void hold_end(void);

#endif
