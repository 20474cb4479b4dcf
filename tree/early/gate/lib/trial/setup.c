// SPDX-License-Identifier: GPL-2.0
int program_setup(char **argv)
{
	int rc;

	probe_init();
	rc = testbed_setup(argv);
	if (!rc && quiet_begin())
		printf("# %s\n", why());
	return rc;
}
