// SPDX-License-Identifier: GPL-2.0
int program_setup(char **argv)
{
	int rc;

	probe_init();
	rc = testbed_setup(argv);
	if (rc)
		return rc;
	if (quiet_begin())
		printf("# %s\n", why());
	gate_share();
	return 0;
}
