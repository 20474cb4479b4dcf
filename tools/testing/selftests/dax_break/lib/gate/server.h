/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Server: the process that serves a gate's device. It has one thread and one io_uring, on
 * which everything arrives: requests of the device, ends of control commands, messages of
 * the test, the signal that tells of the test's death.
 *
 * The test talks to it through a SOCK_SEQPACKET socket; each message gets one reply.
 */
#ifndef DAX_BREAK_GATE_SERVER_H
#define DAX_BREAK_GATE_SERVER_H

#include <sys/types.h>

#include "gate/gate.h"

enum gate_request {
	GATE_START,		/* comes first; the reply: the device is up, or why not */
	GATE_WAIT,
	GATE_RELEASE,
	GATE_LEAVE,		/* until the next user's GATE_START */
	GATE_CLOSE,
};

struct gate_message {
	unsigned int request;
	unsigned int number;	/* repeated in the reply */
	unsigned int slot;
	enum gate_mode mode;	/* GATE_START's */
	pid_t user;		/* GATE_START's: who sends it */
};

struct gate_reply {
	unsigned int number;
	int error;		/* 0 or a negative errno */
	unsigned int device;	/* N of /dev/ublkbN */
	char why[256];
};

/* Serves until @opener dies or closes the gate; returns the exit status. */
int gate_serve(int sock, pid_t opener);

#endif
