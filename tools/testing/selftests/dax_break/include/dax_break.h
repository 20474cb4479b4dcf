/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every test program includes: the kernel's harness, the library, and a
 * main() that sets the testbed up before the harness forks its tests.
 */
#ifndef DAX_BREAK_H
#define DAX_BREAK_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"

#include "aftermath.h"
#include "filesystem.h"
#include "gate.h"
#include "probe.h"
#include "quiet.h"
#include "testbed.h"
#include "trial.h"
#include "why.h"

/*
 * Unless the library call @_call succeeded, ends the test by @_statement (return):
 * SKIP, with the reason, if the kernel lacks something, else failure. For the
 * steps that lead to what a test is about.
 */
#define REQUIRE(_statement, _call) do { \
	int __rc = (_call); \
\
	if (__rc == -EOPNOTSUPP) \
		SKIP(_statement, "%s", why()); \
	ASSERT_EQ(0, __rc) { \
		TH_LOG("%s", why()); \
	} \
} while (0)

/*
 * Assertions about a struct trial. What a failure says begins with the promise
 * that is broken: runners show that line as the diagnosis.
 */

/*
 * P1: asleep in the layout break, nothing done yet. P2: asleep, and after a release
 * of what it waited for, asleep again. @_observe is waiter_observe(), or after such a
 * release waiter_observe_again().
 */
#define ASSERT_BLOCKED(_trial, _observe) do { \
	struct trial *__trial = (_trial); \
\
	ASSERT_EQ(WAITER_BLOCKED, _observe(&__trial->waiter)) { \
		TH_LOG("%s broken: %s", \
		       __trial->waiter.seen == WAITER_DONE ? "P1" : "P2", \
		       trial_describe(__trial)); \
	} \
	ASSERT_EQ(0, trial_unchanged(__trial)) { \
		TH_LOG("P1 broken: %s, but %s", trial_describe(__trial), why()); \
	} \
} while (0)

/* P2: done, now that nothing is pinned any more; and done well (P5). */
#define ASSERT_COMPLETES(_trial) do { \
	struct trial *__trial = (_trial); \
\
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(&__trial->waiter)) { \
		TH_LOG("P2 broken: %s", trial_describe(__trial)); \
	} \
	ASSERT_EQ(0, waiter_result(&__trial->waiter)) { \
		TH_LOG("P2 broken: %s", trial_describe(__trial)); \
	} \
	ASSERT_EQ(0, trial_check(__trial)) { \
		TH_LOG("P5 broken: after %s %s", __trial->op->name, why()); \
	} \
} while (0)

/* P4: never seen to sleep in the layout break on its way. */
#define ASSERT_DOES_NOT_WAIT(_trial) do { \
	struct trial *__unpinned = (_trial); \
\
	ASSERT_EQ(WAITER_DONE, waiter_observe(&__unpinned->waiter)) { \
		TH_LOG("P4 broken: %s", trial_describe(__unpinned)); \
	} \
	ASSERT_COMPLETES(__unpinned); \
} while (0)

/* P9: the kernel has nothing to complain about. In the teardown of every fixture. */
static inline void expect_quiet(struct __test_metadata *_metadata)
{
	int rc = quiet_check();

	EXPECT_EQ(0, rc);
	/* No handler: after a failed assertion the harness runs every one that follows. */
	if (rc)
		TH_LOG("P9 broken: %s", why());
}

/* Ends every trial, in the fixture's teardown. */
static inline void trial_teardown(struct __test_metadata *_metadata, struct trial *trial)
{
	trial_end(trial);
	expect_quiet(_metadata);
}

/*
 * What a test found out that is no failure: the runner sums up whose (@_op) a @_fact is,
 * for each filesystem.
 */
#define RECORD(_fs, _fact, _op)	ksft_print_msg("recorded: %s %s: %s\n", _fs, _fact, _op)

/*
 * The whole of a simple test: @page is pinned, so the operation waits; the pin goes,
 * so it completes.
 */
static inline void expect_wait_for(struct __test_metadata *_metadata, struct trial *trial,
				   unsigned int page)
{
	REQUIRE(return, trial_hold(trial, page));
	trial_start(trial);
	ASSERT_BLOCKED(trial, waiter_observe);
	REQUIRE(return, trial_release(trial, page));
	ASSERT_COMPLETES(trial);
}

/*
 * Variants made from the tables when a program starts, instead of a list by hand:
 * what is added to a table is tested from then on. @_data is what the fixture's
 * FIXTURE_VARIANT() declares, the rest a name as for printf(3), which begins with
 * the filesystem's. Called from main(), before dax_break_main().
 */
#define VARIANT_ADD(_fixture, _data, ...) \
	dax_break_variant_add(&_##_fixture##_fixture_object, &(_data), sizeof(_data), __VA_ARGS__)

static inline void __printf(4, 5)
dax_break_variant_add(struct __fixture_metadata *fixture, const void *data, size_t size,
		      const char *fmt, ...)
{
	struct __fixture_variant_metadata *variant = calloc(1, sizeof(*variant));
	void *copy = malloc(size);
	char *name = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (!variant || !copy || vasprintf(&name, fmt, ap) < 0)
		ksft_exit_fail_msg("no memory for the variants\n");
	va_end(ap);
	variant->name = name;
	variant->data = memcpy(copy, data, size);
	__register_fixture_variant(fixture, variant);
}

/* What most fixtures vary: an operation on a filesystem. */
struct fs_op {
	const char *fs, *op;
};

/*
 * A variant for each operation that has all of the @_with flags and none of the
 * @_without, on each filesystem. FIXTURE_VARIANT(_fixture) is to be a struct fs_op.
 * Rare operations have to be asked for. What becomes of free blocks can only be seen where
 * they are on persistent memory.
 */
#define VARIANTS_OF_OPS(_fixture, _with, _without) \
	dax_break_variants_of_ops(&_##_fixture##_fixture_object, _with, _without)

static inline void dax_break_variants_of_ops(struct __fixture_metadata *fixture,
					     unsigned int with, unsigned int without)
{
	if (!(with & OP_RARE))
		without |= OP_RARE;
	for (const struct filesystem *fs = filesystems; fs->name; fs++) {
		if ((with & OP_FREES) && !filesystem_on_pmem(fs))
			continue;
		for (const struct op *op = ops; op->name; op++) {
			const struct fs_op data = { fs->name, op->name };

			if (op_is_for(op, fs->name) && (op->flags & with) == with &&
			    !(op->flags & without))
				dax_break_variant_add(fixture, &data, sizeof(data), "%s_%s",
						      fs->name, op->name);
		}
	}
}

/* -l: the names of all tests, one a line, as the harness' -r option takes them. */
static inline void dax_break_list(void)
{
	for (struct __fixture_metadata *f = __fixture_list; f; f = f->next)
		for (struct __fixture_variant_metadata *v = f->variant; v; v = v->next)
			for (struct __test_metadata *t = f->tests; t; t = t->next)
				printf("%s.%s.%s\n", f->name, v->name, t->name);
}

/*
 * The program's main(): sets the testbed up, then runs the harness, which forks
 * every test. Listing tests and asking for help need no testbed.
 */
static inline int dax_break_main(int argc, char **argv)
{
	bool help = false;
	int rc;

	for (int i = 1; i < argc; i++) {
		help |= !strcmp(argv[i], "-h");
		if (!strcmp(argv[i], "-l")) {
			dax_break_list();
			return KSFT_PASS;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (BUILT_WITHOUT[0])
		printf("# built without " BUILT_WITHOUT ": some tests are left out\n");
	probe_init();
	rc = help ? 0 : testbed_setup(argv);
	if (rc) {
		ksft_print_header();
		if (rc == -EOPNOTSUPP)
			ksft_exit_skip("%s\n", why());
		ksft_exit_fail_msg("%s\n", why());
	}
	if (quiet_begin())
		ksft_print_msg("%s\n", why());
	aftermath_begin();
	gate_share();
	return test_harness_run(argc, argv);
}

#endif
