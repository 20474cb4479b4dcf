/* SPDX-License-Identifier: GPL-2.0 */
#ifndef DAX_BREAK_PROGRAM_H
#define DAX_BREAK_PROGRAM_H

/* Sets the testbed up, then runs the harness, which forks every test. */
static inline int program_run(int argc, char **argv)
{
	int rc = program_setup(argv);

	if (!rc)
		return test_harness_run(argc, argv);
	ksft_print_header();
	if (rc == -EOPNOTSUPP)
		ksft_exit_skip("%s\n", why());
	ksft_exit_fail_msg("%s\n", why());
}

#endif
