/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ledger: a file that lists what a run makes outside of its own processes. A run writes
 * each thing down before it makes it, so that the next run can remove it if this one is
 * killed. Ledgers are below /var/lib/dax_break (without root: $XDG_STATE_HOME/dax_break or
 * ~/.local/state/dax_break), which survives a crash of the machine. A line is "KIND WHAT":
 *
 *	directory PATH		to be removed with all that is in it
 *	namespace UUID		carved by us, to be destroyed (pmem.h)
 *	signature UUID UUID	the first is that of a filesystem that we made in the
 *				namespace with the second, which we were given: to be wiped
 *
 * A run keeps its ledger locked as long as it lives, so a ledger that nobody has locked
 * belongs to a dead run. The run's token (base/run.h) is the name of the ledger. It also
 * marks the run's processes and ublk devices, which need no line.
 */
#ifndef DAX_BREAK_LEDGER_H
#define DAX_BREAK_LEDGER_H

struct ledger {
	int fd;
	char path[256];
	char token[20];		/* 16 hexadecimal digits */
};

/* Creates and locks the ledger of this run. */
int ledger_begin(struct ledger *ledger);

/* Writes a line, and returns when it is on disk. */
int ledger_note(const struct ledger *ledger, const char *kind, const char *what);

/*
 * Calls @handle for every line, the last one first, even if it fails for some. Returns
 * the first error of @handle.
 */
int ledger_each(const struct ledger *ledger, int (*handle)(const char *kind, char *what));

/* Removes the ledger, once everything in it is gone. */
void ledger_end(struct ledger *ledger);

/* Keeps the ledger for a later run's ledger_take(), as something in it could not be removed. */
void ledger_leave(struct ledger *ledger);

/*
 * Locks the ledgers of dead runs, and calls @take for each, which has to call ledger_end()
 * or ledger_leave(). Returns how many runs are alive, or a negative errno.
 */
int ledger_take(void (*take)(struct ledger *ledger));

/*
 * One lock for all runs of a user. A run has it while it looks for free capacity and takes
 * that, and while a new ledger is not locked yet, which would look like that of a dead run.
 */
int ledger_lock(void);
void ledger_unlock(void);

#endif
