/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Consent: which persistent memory the suite may use, and how. Nothing else decides this,
 * and nothing else looks for persistent memory. The environment says it:
 *
 *	DAX_BREAK_PMEM=DIRECTORY	The directory is on a mounted DAX filesystem. Our
 *					files are in a new directory in it. This does not
 *					take root.
 *	DAX_BREAK_PMEM=carve		We make namespaces out of capacity that no label
 *					claims, and destroy them at the end.
 *	DAX_BREAK_PMEM=NAMESPACE=UUID[,NAMESPACE=UUID]
 *					We use these namespaces, one for each filesystem.
 *					They must be empty (claim.h) and are left empty.
 *
 * Without it the suite uses none, except in a guest that the runner has made: all of the
 * guest's persistent memory is there to be overwritten, labels of NVDIMMs included.
 */
#ifndef DAX_BREAK_TESTBED_CONSENT_H
#define DAX_BREAK_TESTBED_CONSENT_H

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
 * Returns 0, -EINVAL if DAX_BREAK_PMEM makes no sense, or -EOPNOTSUPP if there is no
 * consent. why() then says how to give it, or how to get persistent memory if the machine
 * has none.
 */
int consent_read(struct consent *consent);

#endif
