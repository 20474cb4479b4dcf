/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The two files by which a test in the guest gives orders, and learns what the server has
 * seen: protocol.h describes them.
 */
#ifndef VIRTIOFS_CONTROL_H
#define VIRTIOFS_CONTROL_H

/* Makes the files, in the root of the store, or ends the server. */
void control_init(void);

#endif
