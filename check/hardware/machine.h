/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine with persistent memory that others have data on, in a guest: what its
 * administrator does, and would notice.
 *
 *	NVDIMM 0, with labels	a namespace with a filesystem: the neighbour. It has the
 *				name of those that dax_break carves, but is none of them
 *				two namespaces that are empty: to be named
 *				the rest of it is unallocated
 *	NVDIMM 1, without	a filesystem all over it: the stranger
 */
#ifndef DAX_BREAK_MACHINE_H
#define DAX_BREAK_MACHINE_H

#include <stdbool.h>
#include <sys/types.h>

struct machine_namespace {
	char name[32];		/* namespaceX.Y */
	char uuid[40];
	char device[32];	/* /dev/pmemN */
};

extern struct machine_namespace machine_neighbour, machine_empty[2], machine_stranger;

/* To be called from main(); says why not and exits if it cannot be. */
void machine_setup(void);

/* Are both filesystems of others what they were, byte for byte? Says what is not. */
bool machine_data_intact(void);

/*
 * All that a run could leave: namespaces, block devices, mounts, processes, directories,
 * ledgers. As text, a line each; allocated.
 */
char *machine_state(void);

/* For DAX_BREAK_PMEM: one of the namespaces, or @nr of those that are empty. */
const char *machine_named(const struct machine_namespace *ns, unsigned int nr);

/*
 * Starts @argv with DAX_BREAK_PMEM=@pmem and DAX_BREAK_FS=@fs (NULL: unset), its
 * output going to machine_output(). As user @uid, in a session of its own.
 */
pid_t machine_start(const char *pmem, const char *fs, uid_t uid, const char *const argv[]);

/* Starts it, waits for it to end, returns its exit status (128 + N: killed by N). */
int machine_run(const char *pmem, const char *fs, uid_t uid, const char *const argv[]);
int machine_wait(pid_t pid);

/* What the last one has printed; is @text part of that? */
const char *machine_output(void);
bool machine_said(const char *text);

void machine_write(const char *path, const char *text);

#endif
