/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Replies that are kept back: the server has done what was asked for, but the guest does
 * not know yet. The server ends if there is no memory for them.
 */
#ifndef VIRTIOFS_HOLD_H
#define VIRTIOFS_HOLD_H

#include <stddef.h>

#include "virtqueue.h"

/* Keeps a copy of the @len bytes of @reply to the request @in, which came in @chain. */
void hold_reply(struct virtqueue *queue, const struct chain *chain, const void *in,
		const void *reply, size_t len);

/* How many replies are kept. */
unsigned int hold_count(void);

/*
 * Sends all of them, in the order in which they came. A range that was punched is looked
 * at (store.h) before the guest is told.
 */
void hold_end(void);

#endif
