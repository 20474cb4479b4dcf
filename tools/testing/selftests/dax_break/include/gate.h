/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Gate: a block device that answers when the test says so.
 *
 * A ublk device served by a process of our own. Direct I/O whose buffer is a
 * mapped fsdax page takes a reference on that page (bio_iov_iter_get_pages() in
 * block/bio.c: FOLL_PIN, before 6.5 FOLL_GET) that lasts as long as the request does,
 * and our server keeps a request for as long as it likes: the block layer's timeout
 * is not for servers run by root (ublk_timeout() in drivers/block/ublk_drv.c). So a
 * test holds real DMA pins, many at once, and ends them one by one in any order:
 *
 *	gate_open(&gate, GATE_COPY);	before any DAX file is mapped
 *	fd = open(gate_path(gate), O_RDWR | O_DIRECT | O_CLOEXEC);
 *	(in a thread, or by asynchronous I/O)
 *		pread(fd, dax_page, page_size, gate_slot_offset(gate, 0));
 *	gate_wait_held(gate, 0);	now the page is pinned
 *	...
 *	gate_release(gate, 0);		the DMA lands in the page, the pin goes
 *
 * The device is addressed by slots. I/O that starts inside a slot is held; all
 * other I/O (partition scan, udev) is answered at once. Slots are apart from each
 * other, so that the block layer never merges the I/O of two.
 *
 * Functions return 0 or a negative errno and leave the reason in why().
 */
#ifndef DAX_BREAK_GATE_H
#define DAX_BREAK_GATE_H

#include <sys/types.h>
#include <linux/types.h>

#define GATE_SLOTS	64

struct gate;

/* How the server has a request, and so what keeps its pages pinned. */
enum gate_mode {
	/* The request itself. On release the driver copies from or to the server. */
	GATE_COPY,
	/*
	 * Zero copy: the request, whose pages are a buffer in the fixed-buffer table of
	 * a ring of the server's. On release they are read into from a file, or written
	 * to one, by READ_FIXED or WRITE_FIXED.
	 */
	GATE_FIXED,
	/* The same, to be ended by gate_kill(). */
	GATE_FIXED_KILL,
	/* The same, with the request completed: only the buffer keeps it from ending. */
	GATE_FIXED_COMMIT,
	/* The same, with the buffer cloned into a second ring and gone from the first. */
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
 * A device costs more time than most tests that use it. From here on gate_open(), in
 * this process and those that it forks, gives one process at a time a device that is
 * there already, if one is, or stays for the next one; they all go when this process
 * exits. Failures are told by gate_open().
 */
void gate_share(void);

/*
 * gate_open(), of a gate that is not shared, in two steps: the one that has to come
 * first forks the server and costs little, the other may follow at any time or never.
 */
int gate_prepare(struct gate **gate);
int gate_start(struct gate *gate, enum gate_mode mode);

/* "/dev/ublkbN", valid until gate_close(). */
const char *gate_path(const struct gate *gate);

/*
 * Where slot @slot (0 .. GATE_SLOTS - 1) begins on the device, in bytes. One
 * request holds up to gate_slot_size() bytes, 64 KiB or a page if that is more:
 * read several pages at once to pin them by one request.
 */
off_t gate_slot_offset(const struct gate *gate, unsigned int slot);
size_t gate_slot_size(const struct gate *gate);

/*
 * Waits until a request in @slot has arrived and is held, in the way of the gate's
 * mode: from then on its pages are pinned. -ETIMEDOUT after DEADLINE_MS.
 */
int gate_wait_held(struct gate *gate, unsigned int slot);

/* What a read of @slot finds in every byte. */
unsigned char gate_pattern(unsigned int slot);

/*
 * Completes the request held in @slot, of several the one that arrived first.
 * -ENOENT if there is none. On return the data is in the pages (it is copied
 * here and not before), or was taken from them (when the request arrived). The
 * pins go when the submitter sees the completion: immediately, but maybe after
 * this returns.
 */
int gate_release(struct gate *gate, unsigned int slot);

/*
 * Kills the server, in mode GATE_FIXED_KILL and not a shared one, with SIGKILL. What
 * it holds fails with EIO once the kernel has torn its rings down. Only gate_close()
 * is left then, and nobody else removes the dead device: call it soon.
 */
int gate_kill(struct gate *gate);

/*
 * Fails what is still held with EIO (which the kernel logs), without touching its
 * pages, and removes the device unless it is shared: its node is gone on return, even
 * if files on it are still open. The same happens by itself when the process that
 * opened the gate dies, even if it is killed while it waits uninterruptibly for a page
 * that the gate holds.
 */
void gate_close(struct gate *gate);

/*
 * Removes what is left of the devices of run @run (ledger.h), none of whose processes
 * lives: those whose server was killed.
 */
int gate_remove_devices_of(__u64 run);

#endif
