/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ledger: what a run has made outside of its own processes, written down before it is
 * made, so that the next run can take it down if this one is killed. One file for each
 * run, below /var/lib/dax_break (of other users than root: $XDG_STATE_HOME/dax_break or
 * ~/.local/state/dax_break), which outlives a crash of the machine. A line for each
 * thing, "KIND WHAT":
 *
 *	directory PATH		goes with all that is in it
 *	namespace UUID		carved by us: goes (pmem.h)
 *	signature UUID UUID	the first is that of a filesystem that we made in the
 *				namespace with the second, which we were given
 *
 * A run has the lock of its ledger while it lives: a ledger that nobody has locked is
 * that of a dead run. The run's token, 64 random bits, names the ledger and marks what
 * needs no line of its own: its processes (RUN_ENV in their environment) and ublk
 * devices.
 */
#ifndef DAX_BREAK_LEDGER_H
#define DAX_BREAK_LEDGER_H

#include <linux/types.h>

/* The token, as 16 hexadecimal digits. */
#define RUN_ENV		"DAX_BREAK_RUN"

struct ledger {
	int fd;
	char path[256];
	char token[20];
};

/* Starts the ledger of this run; locked as long as this process lives. */
int ledger_begin(struct ledger *ledger);

/* Writes a line, and returns when it is on disk. */
int ledger_note(const struct ledger *ledger, const char *kind, const char *what);

/*
 * Calls @handle for every line, last one first, even if it fails for some. Returns the
 * first error of @handle.
 */
int ledger_each(const struct ledger *ledger, int (*handle)(const char *kind, char *what));

/* Everything is gone: so is the ledger. */
void ledger_end(struct ledger *ledger);

/* Some of it is not: the ledger stays for ledger_take(), of another process. */
void ledger_leave(struct ledger *ledger);

/*
 * Takes over the ledgers of runs that are dead: calls @take for each, which ends or
 * leaves it. Returns how many runs are alive (and left alone), or a negative errno.
 */
int ledger_take(void (*take)(struct ledger *ledger));

/*
 * Between these, nobody else runs between these: so long as one looks for free
 * capacity and takes it, or a ledger is neither locked nor old.
 */
int ledger_lock(void);
void ledger_unlock(void);

/* The token of the run that this process belongs to, as a number; 0: none. */
__u64 ledger_run(void);

#endif
