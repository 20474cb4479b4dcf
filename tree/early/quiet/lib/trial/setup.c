// SPDX-License-Identifier: GPL-2.0
int program_setup(char **argv)
{
	probe_init();
	return testbed_setup(argv);
}
