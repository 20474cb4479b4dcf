/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Gate: a block device that completes a request when the test says so.
 *
 * It is a ublk device, served by a process of our own. Direct I/O whose buffer is a
 * mapped fsdax page takes a reference on that page (bio_iov_iter_get_pages() in
 * block/bio.c: FOLL_PIN, before 6.5 FOLL_GET) that lasts as long as the request does.
 * Our server keeps a request for as long as it likes, because the block layer's timeout
 * does not apply to servers run by root (ublk_timeout() in drivers/block/ublk_drv.c). So
 * a test holds real DMA pins, many at once, and ends them one by one in any order:
 *
 *	gate_open(&gate, GATE_COPY);	before any DAX file is mapped
 *	fd = open(gate_path(gate), O_RDWR | O_DIRECT | O_CLOEXEC);
 *	(in a thread, or by asynchronous I/O)
 *		pread(fd, dax_page, page_size, gate_slot_offset(gate, 0));
 *	gate_wait_held(gate, 0);	from now on the page is pinned
 *	...
 *	gate_release(gate, 0);		the DMA lands in the page, the pin is dropped
 *
 * The device is addressed by slots. I/O that starts inside a slot is held; all
 * other I/O (partition scan, udev) is answered at once. Slots are apart from each
 * other, so that the block layer never merges the I/O of two.
 */
#ifndef DAX_BREAK_GATE_GATE_H
#define DAX_BREAK_GATE_GATE_H

#include <sys/types.h>
#include <linux/types.h>

#define GATE_SLOTS	64

struct gate;

/* How the server holds a request, and so what keeps its pages pinned. */
enum gate_mode {
	/* It has not completed it. On release the driver copies the data. */
	GATE_COPY,
	/*
	 * Zero copy: it has not completed it, and has made its pages a fixed buffer of
	 * one of its rings. On release READ_FIXED or WRITE_FIXED moves the data between
	 * them and a file.
	 */
	GATE_FIXED,
	/* Like GATE_FIXED, to be ended by gate_kill(). */
	GATE_FIXED_KILL,
	/* Like GATE_FIXED, but it has completed it: only the buffer keeps it from ending. */
	GATE_FIXED_COMMIT,
	/* Like GATE_FIXED_COMMIT, with the buffer moved to a second ring. */
	GATE_FIXED_CLONE,
};

/*
 * Adds and starts a device. -EOPNOTSUPP: no ublk here (Linux 6.0,
 * CONFIG_BLK_DEV_UBLK, root), no io_uring, or no zero copy (Linux 6.15).
 *
 * The server is a forked child. It closes the files it inherits, but cannot get
 * rid of the mappings without disturbing what they map: call this before any DAX
 * file is mapped, and from a thread that lives as long as the gate (its death is
 * one of the events that end the server). One thread at a time may use a gate.
 */
int gate_open(struct gate **gate, enum gate_mode mode);

/*
 * Shares devices among tests, since making one takes longer than most tests that use it.
 * From here on gate_open(), in this process and those that it forks, lends one process at
 * a time a device that stays for the next one. All are removed when this process exits.
 * gate_open() reports failures.
 */
void gate_share(void);

/*
 * gate_open() in two steps, for a gate that is not shared. gate_prepare() forks the server
 * and costs little: it is what has to come before files are mapped. gate_start() may
 * follow at any time, or never.
 */
int gate_prepare(struct gate **gate);
int gate_start(struct gate *gate, enum gate_mode mode);

/* "/dev/ublkbN", valid until gate_close(). */
const char *gate_path(const struct gate *gate);

/*
 * Where slot @slot (0 .. GATE_SLOTS - 1) begins on the device, in bytes. One
 * request holds up to 64 KiB, or a page if that is more: read several pages at once to pin
 * them by one request.
 */
off_t gate_slot_offset(const struct gate *gate, unsigned int slot);

/*
 * Waits until a request in @slot has arrived and is held as the gate's mode says: from
 * then on its pages are pinned. -ETIMEDOUT after DEADLINE_MS.
 */
int gate_wait_held(struct gate *gate, unsigned int slot);

/* What a read of @slot finds in every byte. */
unsigned char gate_pattern(unsigned int slot);

/*
 * Completes the request held in @slot; if there are several, the one that arrived first.
 * -ENOENT if there is none. On return, a read has put its data in the pages (not before),
 * and a write has taken its data from them (with GATE_COPY, when it arrived). The pins are
 * dropped when the submitter sees the completion: at once, but maybe after this returns.
 */
int gate_release(struct gate *gate, unsigned int slot);

/*
 * Kills the server with SIGKILL: of a gate that is not shared, in mode GATE_FIXED_KILL.
 * What it holds fails with EIO once the kernel has torn its rings down. The only call left
 * is gate_close(), which removes the dead device and should come soon.
 */
int gate_kill(struct gate *gate);

/*
 * Fails what is still held with EIO (which the kernel logs), without touching its pages,
 * and removes the device unless it is shared: its node is gone on return, even if files
 * on it are still open. The server does the same by itself when the process that opened
 * the gate dies, even if that is killed while it waits uninterruptibly for a page that the
 * gate holds.
 */
void gate_close(struct gate *gate);

/*
 * Removes the ublk devices that run @run (base/run.h) has left, because their servers were
 * killed. None of its processes may be alive.
 */
int gate_remove_devices_of(__u64 run);

#endif
