/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the gate share: gate.c runs in the test's process; in the
 * server's run gate_server.c (what happens to it), gate_user.c (whether the test is
 * still there), gate_device.c (the life of the device) and gate_zero_copy.c (requests
 * as fixed buffers). The two processes talk over a SOCK_SEQPACKET socket.
 */
#ifndef DAX_BREAK_GATE_INTERNAL_H
#define DAX_BREAK_GATE_INTERNAL_H

#include <liburing.h>
#include <linux/ublk_cmd.h>
#include <stdbool.h>
#include <sys/types.h>

#include "deadline.h"
#include "gate.h"

#define GATE_KIB	1024UL
#define GATE_MIB	(1024UL * 1024)

/*
 * Slots in the middle of the device: whoever looks for a partition table or a
 * superblock looks near its ends.
 */
#define GATE_DEVICE_BYTES	(64 * GATE_MIB)
#define GATE_FIRST_SLOT		(32 * GATE_MIB)

/* Teardown waits for the kernel (RCU, queue freeze), and maybe for an emulator. */
#define GATE_SETUP_MS		15000
#define GATE_TEARDOWN_MS	15000

enum gate_request {
	GATE_START,		/* comes first; the reply: the device is up, or why not */
	GATE_WAIT,
	GATE_RELEASE,
	GATE_LEAVE,		/* until the next user's GATE_START */
	GATE_CLOSE,
};

struct gate_message {
	unsigned int request;
	unsigned int number;	/* told back in the reply */
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

/* In bytes; also the largest request the device takes. */
size_t gate_slot_bytes(void);

/* From slot to slot: with gaps, so that requests of two are never adjacent. */
static inline size_t gate_slot_stride(void)
{
	return 2 * gate_slot_bytes();
}

#define SECTOR_SHIFT		9

/*
 * A device with a single queue gets an I/O scheduler (block/elevator.c), which we
 * do not need and whose setup and removal cost an RCU grace period or two each.
 */
#define GATE_QUEUES		2
/* All slots may be held in one queue, and those who probe the device go on. */
#define GATE_DEPTH		(GATE_SLOTS + 16)
#define GATE_TAGS		(GATE_QUEUES * GATE_DEPTH)

/* Carries one request at a time. */
struct gate_tag {
	enum { TAG_UNUSED, TAG_FETCHING, TAG_HELD } state;
	unsigned int queue;
	unsigned int tag;	/* in its queue */
	const struct ublksrv_io_desc *request;	/* written by the kernel */
	char *buffer;		/* gate_slot_bytes() */
	unsigned int slot;	/* that the request is for */
	unsigned long arrival;	/* orders the requests of one slot */
	struct io_uring *ring;	/* that has its pages as a fixed buffer, or NULL; */
				/* of zero_copy, or a clone's, of this tag alone */
	bool committed;		/* completed while held: that buffer keeps it from ending */
};

/* With a ring for what is done at once, apart from the one on which things happen. */
struct gate_zero_copy {
	struct io_uring ring;	/* the fixed buffer of a tag has the tag's index */
	int file;		/* that data comes from and goes to */
	__u64 number;		/* of the last operation */
};

struct gate_server {
	enum gate_mode mode;
	int sock;
	int signals;		/* signalfd */
	int control;		/* /dev/ublk-control */
	int queues;		/* queues_path */
	char queues_path[32];	/* /dev/ublkcN */
	pid_t opener;		/* whose death ends us */
	pid_t user;		/* whose death ends all that is held; 0: nobody */
	struct io_uring ring;

	bool added;
	bool legacy;		/* the kernel knows only the opcodes of 6.0 */
	bool stopping;		/* everything has to go */
	bool closing;		/* because of GATE_CLOSE, message close_number */
	unsigned int close_number;

	/* Kept here, since the kernel may look at it after we gave up waiting. */
	struct ublksrv_ctrl_dev_info info;
	struct ublk_params params;
	unsigned int command;	/* number of the control command under way */
	bool command_done;
	int command_result;

	struct gate_tag tags[GATE_TAGS];
	unsigned long arrivals;
	struct gate_zero_copy zero_copy;	/* unless GATE_COPY */

	struct gate_message message;
	struct gate_message wait;	/* GATE_WAIT not yet answered */
	bool waiting;
	long user_check;
};

/* What a completion is about. */
enum gate_event { EVENT_REQUEST, EVENT_COMMAND, EVENT_MESSAGE, EVENT_SIGNAL };

/* The server's life, in its process; returns the exit status. */
int gate_serve(int sock, pid_t opener);

/* An empty SQE; its completion is passed to @event's handler with @number. */
struct io_uring_sqe *gate_sqe(struct gate_server *s, enum gate_event event, unsigned int number);

/* Handles what has happened; if nothing has, waits for it, @ms at most. */
void gate_pump(struct gate_server *s, int ms);

/*
 * Hands @t to the driver: @op is UBLK_U_IO_FETCH_REQ, or COMMIT_AND_FETCH_REQ
 * with the @result of the request it carried (bytes or a negative errno).
 */
void gate_fetch(struct gate_server *s, struct gate_tag *t, unsigned int op, int result);

/* Completes the request of @t with @result, bytes or a negative errno. */
void gate_commit(struct gate_server *s, struct gate_tag *t, int result);

/*
 * Does all that is left to do for the request of @t: with its data, unless @error
 * (0 or a negative errno) says that it is to fail.
 */
int gate_complete(struct gate_server *s, struct gate_tag *t, int error);

/* Fails whatever is held: there is no user any more. */
void gate_abandon(struct gate_server *s);

bool gate_user_doomed(pid_t pid);

/* From the start to a device that serves, and back from wherever that got. */
int gate_add_device(struct gate_server *s);
int gate_remove_device(struct gate_server *s);

/* Removes device @number, whose server was killed; runs in the test's process. */
int gate_remove_dead_device(unsigned int number);

/* Makes ready for the modes other than GATE_COPY, before the device is added. */
int gate_zero_copy_open(struct gate_server *s);

/* Holds the request of @t in the way of the mode. */
int gate_zero_copy_hold(struct gate_server *s, struct gate_tag *t);

/* Moves the data of the request of @t, @bytes, from or to t->buffer. */
int gate_zero_copy_move(struct gate_server *s, struct gate_tag *t, size_t bytes);

/* Makes the pages of @t no fixed buffer any more; if committed, its request ends. */
int gate_zero_copy_drop(struct gate_server *s, struct gate_tag *t);

/* @op as this kernel knows it: before 6.4 without ioctl encoding. */
static inline unsigned int gate_opcode(const struct gate_server *s, unsigned int op)
{
	return s->legacy ? _IOC_NR(op) : op;
}

/* Numbers that <linux/ublk_cmd.h> did not have from the start (6.0). */
#ifndef UBLK_F_BUF_REG_OFF_DAEMON
#define UBLK_F_BUF_REG_OFF_DAEMON	0x4000ULL
#endif
#ifndef UBLK_U_CMD_ADD_DEV
#define UBLK_U_CMD_GET_DEV_INFO	_IOR('u', UBLK_CMD_GET_DEV_INFO, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_ADD_DEV	_IOWR('u', UBLK_CMD_ADD_DEV, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_DEL_DEV	_IOWR('u', UBLK_CMD_DEL_DEV, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_START_DEV	_IOWR('u', UBLK_CMD_START_DEV, struct ublksrv_ctrl_cmd)
#define UBLK_U_CMD_SET_PARAMS	_IOWR('u', UBLK_CMD_SET_PARAMS, struct ublksrv_ctrl_cmd)
#endif
#ifndef UBLK_U_CMD_DEL_DEV_ASYNC
#define UBLK_U_CMD_DEL_DEV_ASYNC	_IOR('u', 0x14, struct ublksrv_ctrl_cmd)
#endif
#ifndef UBLK_U_IO_FETCH_REQ
#define UBLK_U_IO_FETCH_REQ	_IOWR('u', UBLK_IO_FETCH_REQ, struct ublksrv_io_cmd)
#define UBLK_U_IO_COMMIT_AND_FETCH_REQ \
	_IOWR('u', UBLK_IO_COMMIT_AND_FETCH_REQ, struct ublksrv_io_cmd)
#endif
#ifndef UBLK_U_IO_REGISTER_IO_BUF
#define UBLK_U_IO_REGISTER_IO_BUF	_IOWR('u', 0x23, struct ublksrv_io_cmd)
#define UBLK_U_IO_UNREGISTER_IO_BUF	_IOWR('u', 0x24, struct ublksrv_io_cmd)
#endif

#endif
