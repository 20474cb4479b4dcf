// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "alive.h"
#include "base/probe.h"
#include "finding.h"
#include "gate/gate.h"
#include "quiet.h"
#include "testbed.h"
#include "testbed/aftermath.h"
#include "trial/setup.h"
#include "written.h"

static pid_t program;

/* At exit, but not at that of a forked child. */
static void teardown(void)
{
	if (getpid() == program)
		written_end();
}

int program_setup(char **argv)
{
	int rc;

	probe_init();
	rc = testbed_setup(argv);
	if (rc)
		return rc;
	program = getpid();
	atexit(teardown);
	if (quiet_begin())
		printf("# %s\n", why());
	aftermath_begin();
	gate_share();
	return alive_begin();
}
