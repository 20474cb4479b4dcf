/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What all test programs have in common: main(), the list of their tests, and the final
 * check.
 */
#ifndef DAX_BREAK_PROGRAM_H
#define DAX_BREAK_PROGRAM_H

#include <errno.h>
#include <string.h>

#include "alive.h"
#include "finding.h"
#include "testbed.h"
#include "trial/setup.h"
#include "variants.h"

/* What the tests of a program need that others do not. Runners see to it. */
enum need {
	/*
	 * They may take the kernel down: a guest for each test, and elsewhere the consent
	 * of whoever runs them (consent_to_crash()).
	 */
	NEED_ALONE		= 1 << 0,
	NEED_SMALL_WINDOW	= 1 << 1,	/* a DAX window of virtiofs that is soon full */
};

struct program {
	void (*variants)(void);		/* adds the variants of its fixtures */
	void (*final_check)(void);	/* adds those of the final check */
	const char *unchecked;		/* why there is no final check */
	unsigned int needs;		/* enum need */
};

/*
 * The program's main(); takes members of struct program. When all tests of the program
 * have run, the filesystems are checked: tests run in the order of their definition, so
 * this has to be the end of the file.
 */
#define DAX_BREAK_MAIN(...) \
	FIXTURE(aftermath) { \
	}; \
	FIXTURE_VARIANT(aftermath) { \
		struct fs_op on; \
	}; \
	FIXTURE_SETUP(aftermath) { } \
	FIXTURE_TEARDOWN(aftermath) { } \
	TEST_F(aftermath, clean) \
	{ \
		expect_clean(_metadata, variant->on.fs); \
	} \
	static void add_aftermath(void) \
	{ \
		for (struct cases c = cases_of_filesystems(0); cases_next(&c);) { \
			const FIXTURE_VARIANT(aftermath) data = { .on = c.on }; \
\
			VARIANT_ADD_AS(aftermath, data, "%s", program_invocation_short_name); \
		} \
	} \
	PROGRAM_MAIN(.final_check = add_aftermath, __VA_ARGS__)

/* The same without a final check, for the reason @_why. */
#define DAX_BREAK_MAIN_UNCHECKED(_why, ...)	PROGRAM_MAIN(.unchecked = _why, __VA_ARGS__)

#define PROGRAM_MAIN(...) \
	int main(int argc, char **argv) \
	{ \
		const struct program program = { __VA_ARGS__ }; \
\
		exit(program_main(argc, argv, &program)); \
	}

/* P5, loses nothing, and P8, end of life: no test of the program has left anything behind. */
static inline void expect_clean(struct __test_metadata *_metadata, const struct filesystem *fs)
{
	int rc = aftermath_check(fs);

	if (rc == -EOPNOTSUPP)
		SKIP(return, "%s", why());
	ASSERT_EQ(0, rc) {
		BROKEN(P5_LOSES_NOTHING, "after all tests of %s, %s: %s",
		       program_invocation_short_name, fs->name, why());
	}
}

/*
 * -l: all tests, one a line: its name, as the harness' -r option takes it, its filesystem,
 * and what it needs, as words: to be "alone" in a guest, a "small-window", or, as the
 * "final" check, to be run after all others. Runners go by this.
 */
static inline void program_list(const struct program *program)
{
	for (struct __fixture_metadata *f = __fixture_list; f; f = f->next)
		for (struct __fixture_variant_metadata *v = f->variant; v; v = v->next)
			for (struct __test_metadata *t = f->tests; t; t = t->next) {
				const struct fs_op *on = v->data;

				printf("%s.%s.%s %s%s%s%s\n", f->name, v->name, t->name,
				       on->fs->name, program->needs & NEED_ALONE ? " alone" : "",
				       program->needs & NEED_SMALL_WINDOW ? " small-window" : "",
				       strcmp(f->name, "aftermath") ? "" : " final");
			}
}

/* What the harness runs in place of each test (program_guard()), and the test. */
struct program_test {
	struct __test_metadata *test;
	void (*fn)(struct __test_metadata *_metadata, struct __fixture_variant_metadata *variant);
};

static struct program_test *program_tests;

/* Fails the test at once if its filesystem is dead (alive.h). Runners know the words. */
static inline void program_test_run(struct __test_metadata *_metadata,
				    struct __fixture_variant_metadata *variant)
{
	const struct filesystem *fs = ((const struct fs_op *)variant->data)->fs;
	const struct program_test *guarded = program_tests;
	char name[128];

	snprintf(name, sizeof(name), "%s.%s.%s", _metadata->fixture->name, variant->name,
		 _metadata->name);
	if (alive_enter(fs, name)) {
		ksft_print_msg("dead testbed: %s\n", why());
		_metadata->exit_code = KSFT_FAIL;
		return;
	}
	while (guarded->test != _metadata)
		guarded++;
	guarded->fn(_metadata, variant);
	alive_leave(fs);
}

static inline void program_guard(void)
{
	size_t count = 0;

	for (struct __fixture_metadata *f = __fixture_list; f; f = f->next)
		for (struct __test_metadata *t = f->tests; t; t = t->next) {
			program_tests = realloc(program_tests, ++count * sizeof(*program_tests));
			if (!program_tests)
				ksft_exit_fail_msg("no memory for the tests\n");
			program_tests[count - 1] = (struct program_test){ t, t->fn };
			t->fn = program_test_run;
		}
}

/* Sets the testbed up, then runs the harness, which forks every test. */
static inline int program_run(int argc, char **argv, const struct program *program)
{
	int rc = program_setup(argv);

	if (BUILT_WITHOUT[0])
		printf("# built without " BUILT_WITHOUT ": some tests are left out\n");
	if (!rc && program->unchecked)
		printf("# no final check of the filesystems: %s\n", program->unchecked);
	if (!rc) {
		program_guard();
		return test_harness_run(argc, argv);
	}
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
	if (program->final_check)
		program->final_check();
	/* Nothing here has a case for these fixtures: the harness would run them without data. */
	for (struct __fixture_metadata *f = __fixture_list; f; f = f->next)
		if (!f->variant)
			f->tests = NULL;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-h"))
			return test_harness_run(argc, argv);
		if (!strcmp(argv[i], "-l")) {
			program_list(program);
			return KSFT_PASS;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	return program_run(argc, argv, program);
}

#endif
