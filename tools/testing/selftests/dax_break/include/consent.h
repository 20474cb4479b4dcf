/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Consent: which persistent memory may be used, and how. This is the one place that
 * decides; nobody else looks for any. From the environment:
 *
 *	DAX_BREAK_PMEM=DIRECTORY	on a mounted DAX filesystem: files of our own, in
 *					a fresh directory in it. Does not take root.
 *	DAX_BREAK_PMEM=carve		namespaces carved out of capacity that no label
 *					claims, destroyed at the end.
 *	DAX_BREAK_PMEM=NAMESPACE=UUID[,NAMESPACE=UUID]
 *					these namespaces, one for each filesystem. They
 *					must be empty (claim.h), and are left so.
 *
 * Unset: none, but in a guest that the runner has made. There is no more to lose there,
 * and what labels its NVDIMMs have is overwritten if need be.
 */
#ifndef DAX_BREAK_CONSENT_H
#define DAX_BREAK_CONSENT_H

#define CONSENT_ENV		"DAX_BREAK_PMEM"
#define CONSENT_NAMESPACES	4

struct consent {
	enum consent_level {
		CONSENT_NONE,
		CONSENT_DIRECTORY,
		CONSENT_CARVE,
		CONSENT_NAMED,
		CONSENT_GUEST,
	} level;
	char directory[128];		/* of CONSENT_DIRECTORY: absolute */
	unsigned int nr_named;		/* of CONSENT_NAMED */
	struct {
		char name[32], uuid[40];
	} named[CONSENT_NAMESPACES];
};

/*
 * -EOPNOTSUPP: there is no consent; the reason is what to do to give it, or if this
 * machine has no persistent memory, to get some. -EINVAL: it cannot be understood.
 */
int consent_read(struct consent *consent);

/*
 * May tests crash this kernel, or hang it for good? Only if DAX_BREAK_DESTRUCTIVE is 1; else
 * -EOPNOTSUPP.
 */
int consent_to_crash(void);

#endif
