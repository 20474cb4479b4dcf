/* SPDX-License-Identifier: GPL-2.0 */
/* What all test programs have in common: main(), and the list of their tests. */
#ifndef DAX_BREAK_PROGRAM_H
#define DAX_BREAK_PROGRAM_H

struct program {
	void (*variants)(void);		/* adds the variants of its fixtures */
};

/* The program's main(); takes members of struct program. The end of the file. */
#define DAX_BREAK_MAIN(...)	PROGRAM_MAIN(__VA_ARGS__)

/*
 * -l: all tests, one a line: its name, as the harness' -r option takes it, and its
 * filesystem.
 */
static inline void program_list(void)
{
	for (struct __fixture_metadata *f = __fixture_list; f; f = f->next)
		for (struct __fixture_variant_metadata *v = f->variant; v; v = v->next)
			for (struct __test_metadata *t = f->tests; t; t = t->next) {
				const struct fs_op *on = v->data;

				printf("%s.%s.%s %s\n", f->name, v->name, t->name, on->fs->name);
			}
}

/* Sets the testbed up, then runs the harness, which forks every test. */
static inline int program_run(int argc, char **argv)
{
	int rc = program_setup(argv);

	if (BUILT_WITHOUT[0])
		printf("# built without " BUILT_WITHOUT ": some tests are left out\n");
	if (!rc)
		return test_harness_run(argc, argv);
	ksft_print_header();
	if (rc == -EOPNOTSUPP)
		ksft_exit_skip("%s\n", why());
	ksft_exit_fail_msg("%s\n", why());
}

/* Listing tests and asking for help need no testbed. */
static inline int program_main(int argc, char **argv, const struct program *program)
{
	if (program->variants)
		program->variants();
	/* Nothing here has a case for these fixtures: the harness would run them without data. */
	for (struct __fixture_metadata *f = __fixture_list; f; f = f->next)
		if (!f->variant)
			f->tests = NULL;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-h"))
			return test_harness_run(argc, argv);
		if (!strcmp(argv[i], "-l")) {
			program_list();
			return KSFT_PASS;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	return program_run(argc, argv);
}

#endif
