/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine, in a guest, that has data of others on its persistent memory: what its
 * administrator does, and what he would notice.
 *
 *	NVDIMM 0, with labels	the neighbour: a namespace with a filesystem. It is called
 *				like those that dax_break carves, but is none of them
 *				two empty namespaces, for tests to name
 *				the rest is unallocated
 *	NVDIMM 1, no labels	the stranger: a filesystem that takes up all of it
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

/* Makes it. To be called from main(): says why and ends the program if that fails. */
void machine_setup(void);

/* Are the filesystems of others as they were, byte for byte? Prints which one is not. */
bool machine_data_intact(void);

/*
 * Everything of the kinds that a run could leave behind: namespaces, block devices, mounts,
 * processes, directories, ledgers. Text of one line for each; the caller frees it.
 */
char *machine_state(void);

/*
 * The value of DAX_BREAK_PMEM that names @nr namespaces from @ns on; overwritten by the
 * next call.
 */
const char *machine_named(const struct machine_namespace *ns, unsigned int nr);

/*
 * Starts @argv with DAX_BREAK_PMEM=@pmem and DAX_BREAK_FS=@fs (NULL: unset), as user @uid
 * and in a session of its own. machine_output() has what it prints.
 */
pid_t machine_start(const char *pmem, const char *fs, uid_t uid, const char *const argv[]);

/* Waits for it to end. Returns its exit status (128 + N: killed by signal N). */
int machine_wait(pid_t pid);

/* Both of these. */
int machine_run(const char *pmem, const char *fs, uid_t uid, const char *const argv[]);

/* What the program started last has printed; and is @text part of that? */
const char *machine_output(void);
bool machine_said(const char *text);

/* Writes @text to the file @path, one of sysfs; prints why if that fails. */
void machine_write(const char *path, const char *text);

#endif
