/* SPDX-License-Identifier: GPL-2.0 */
/* What all test programs have in common: main(). */
#ifndef DAX_BREAK_PROGRAM_H
#define DAX_BREAK_PROGRAM_H

/* The program's main(), which finds out where to make files, then runs the harness. */
#define DAX_BREAK_MAIN() \
	int main(int argc, char **argv) \
	{ \
		exit(program_main(argc, argv)); \
	}

static inline int program_main(int argc, char **argv)
{
	int rc = testbed_setup();

	if (!rc)
		return test_harness_run(argc, argv);
	ksft_print_header();
	if (rc == -EOPNOTSUPP)
		ksft_exit_skip("%s\n", why());
	ksft_exit_fail_msg("%s\n", why());
}

#endif
