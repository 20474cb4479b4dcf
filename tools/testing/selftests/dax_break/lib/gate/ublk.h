/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ublk: a client of /dev/ublk-control, through which ublk devices are added and removed
 * (drivers/block/ublk_drv.c: ublk_ctrl_uring_cmd()), and the io_uring, with 128 byte SQEs,
 * of its commands and of the requests of its device.
 *
 * Commands that sleep are run by a kernel worker (io-wq), so requests are handled while
 * one is under way.
 *
 * ublk_command() leaves no reason in why(): its errors are for its callers to judge.
 */
#ifndef DAX_BREAK_GATE_UBLK_H
#define DAX_BREAK_GATE_UBLK_H

#include <linux/ioctl.h>
#include <linux/ublk_cmd.h>
#include <stdbool.h>
#include <stddef.h>

struct io_uring;

struct ublk {
	struct io_uring *ring;
	int control;			/* /dev/ublk-control */
	bool known;			/* this kernel has understood a command */
	bool legacy;			/* it knows only the opcodes of 6.0 */
	unsigned int command;		/* number of the last command */
	bool done;			/* it has ended */
	int result;

	/* Called when what has the number @number, not a command, has ended with @result. */
	void (*handle)(void *context, unsigned int number, int result);
	void *context;

	/* Kept here, since the kernel may look at it after a command was given up. */
	struct ublksrv_ctrl_dev_info info;
	bool attached;			/* commands are about device info.dev_id */
	char queues_path[32];		/* /dev/ublkcN, through which it is served */
};

/*
 * Opens the client, with a ring that has room for @entries SQEs. -EOPNOTSUPP: there is no
 * ublk here, or no permission to use it.
 */
int ublk_open(struct ublk *ublk, unsigned int entries);

/* Leaves the device as it is. */
void ublk_close(struct ublk *ublk);

/* Adds the device that ublk->info describes; commands are about that one from now on. */
int ublk_add(struct ublk *ublk);

/*
 * Stops the device, if there is one, and removes its nodes. What is left goes with the
 * last file that is open on it.
 */
int ublk_remove(struct ublk *ublk);

/*
 * Removes device @number, whose server was killed, if run @run (base/run.h) has added it:
 * nobody else does.
 */
int ublk_remove_dead(unsigned int number, __u64 run);

/*
 * Runs command @op, UBLK_U_CMD_*, to its end, and returns what the kernel says;
 * -ETIMEDOUT if it takes too long.
 */
int ublk_command(struct ublk *ublk, unsigned int op, void *buf, size_t len, __u64 data);

/*
 * Prepares the command @op to @fd, for which ublk->handle() is called with @number, of 32
 * bits. The next ublk_pump() submits it. Returns its argument, all zeroes.
 */
void *ublk_prepare(struct ublk *ublk, int fd, unsigned int op, __u64 number);

/* Submits, then handles what has ended; if nothing has, waits for @ms at most. */
void ublk_pump(struct ublk *ublk, long ms);

/* Says why @what failed with @err, a negative errno, and returns that; 0 is no failure. */
int ublk_failed(int err, const char *what);

/* What <linux/ublk_cmd.h> did not have from the start (6.0). */
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
