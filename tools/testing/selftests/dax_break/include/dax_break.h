/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every test program includes: the kernel's harness, the library, and assertions. A
 * program begins with a comment (what is pinned, what operation, what must be seen, which
 * promise that guards), then come its fixtures and tests, then DAX_BREAK_MAIN().
 */
#ifndef DAX_BREAK_H
#define DAX_BREAK_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"

#include "filesystem.h"
#include "finding.h"
#include "program.h"
#include "quiet.h"
#include "testbed.h"
#include "trial.h"
#include "variants.h"

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
 * The library call @_call, which checks @_promise, returns 0. If not, the finding is what
 * the rest says, as for printf(3), and the reason of the call.
 */
#define ASSERT_KEPT(_promise, _call, _fmt, ...) do { \
	int __kept = (_call); \
\
	ASSERT_EQ(0, __kept) { \
		BROKEN(_promise, _fmt ": %s", ##__VA_ARGS__, why()); \
	} \
} while (0)

/*
 * Whatever @_waiter runs comes to its end, now that nothing keeps it; and it has succeeded.
 * If not, that breaks @_promise. @_situation, for the diagnosis, says why nothing keeps it:
 * "with nothing pinned".
 */
#define ASSERT_ENDS(_promise, _waiter, _situation) do { \
	struct waiter *__ends = (_waiter); \
\
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(__ends)) { \
		const char *__words = (_situation); \
\
		BROKEN(_promise, "%s, %s", waiter_describe(__ends), __words); \
	} \
} while (0)

#define ASSERT_RETURNS(_promise, _result, _waiter, _situation) do { \
	enum promise __promise = (_promise); \
	struct waiter *__returns = (_waiter); \
	const char *__situation = (_situation); \
\
	ASSERT_ENDS(__promise, __returns, __situation); \
	ASSERT_EQ(_result, waiter_result(__returns)) { \
		BROKEN(__promise, "%s, %s", waiter_describe(__returns), __situation); \
	} \
} while (0)

/*
 * Assertions about a struct trial.
 *
 * P1: asleep in the layout break, and nothing has been done yet. P2: asleep, not spinning.
 */
#define ASSERT_BLOCKED(_trial) do { \
	struct trial *__blocked = (_trial); \
\
	ASSERT_SEEN_BLOCKED(__blocked, waiter_observe(&__blocked->waiter)); \
} while (0)

/* Asleep once more, after a release of what it waited for. */
#define ASSERT_BLOCKED_AGAIN(_trial) do { \
	struct trial *__blocked = (_trial); \
\
	ASSERT_SEEN_BLOCKED(__blocked, waiter_observe_again(&__blocked->waiter)); \
} while (0)

/* Asleep all the time, for a while. */
#define ASSERT_STAYS_BLOCKED(_trial) do { \
	struct trial *__blocked = (_trial); \
\
	ASSERT_SEEN_BLOCKED(__blocked, waiter_watch(&__blocked->waiter)); \
} while (0)

#define ASSERT_SEEN_BLOCKED(_trial, _seen) do { \
	struct trial *__trial = (_trial); \
\
	ASSERT_EQ(WAITER_BLOCKED, _seen) { \
		BROKEN(__trial->waiter.seen == WAITER_DONE ? P1_WAITS : P2_WAKES, "%s", \
		       trial_describe(__trial)); \
	} \
	ASSERT_KEPT(P1_WAITS, trial_unchanged(__trial), "%s", trial_describe(__trial)); \
} while (0)

/* P2: done, now that nothing is pinned any more; and done well (P5). */
#define ASSERT_COMPLETES(_trial) do { \
	struct trial *__trial = (_trial); \
\
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(&__trial->waiter)) { \
		BROKEN(P2_WAKES, "%s", trial_describe(__trial)); \
	} \
	ASSERT_EQ(0, waiter_result(&__trial->waiter)) { \
		BROKEN(P2_WAKES, "%s", trial_describe(__trial)); \
	} \
	ASSERT_KEPT(P5_LOSES_NOTHING, trial_check(__trial), "after %s", __trial->op->name); \
} while (0)

/* P4: never seen to sleep in the layout break on its way. */
#define ASSERT_DOES_NOT_WAIT(_trial) do { \
	struct trial *__unpinned = (_trial); \
\
	ASSERT_EQ(WAITER_DONE, waiter_observe(&__unpinned->waiter)) { \
		BROKEN(P4_PRECISE, "%s", trial_describe(__unpinned)); \
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
		BROKEN(P9_QUIET, "%s", why());
}

/* Ends every trial, in the fixture's teardown. */
static inline void trial_teardown(struct __test_metadata *_metadata, struct trial *trial)
{
	trial_end(trial);
	expect_quiet(_metadata);
}

/*
 * A fixture whose only data is a trial. Its variants hold what differs from trial to trial;
 * VARIANT_ADD() may leave out all but on.fs. The rest are members of the trial's spec.
 * A test finds the trial in self->trial, and what is varied in variant.
 */
#define TRIAL_FIXTURE(type, ...) \
	FIXTURE(type) { \
		struct trial trial; \
	}; \
	FIXTURE_VARIANT(type) { \
		struct fs_op on; \
		const char *holder; \
		bool higher; \
		enum dax_entries entries; \
	}; \
	FIXTURE_SETUP(type) \
	{ \
		struct trial_spec spec = { __VA_ARGS__ }; \
\
		spec.on.fs = variant->on.fs; \
		spec.on.op = variant->on.op ?: spec.on.op; \
		spec.holder = variant->holder ?: spec.holder; \
		spec.higher |= variant->higher; \
		spec.entries = variant->entries ?: spec.entries; \
		trial_require(_metadata, &self->trial, &spec); \
	} \
	FIXTURE_TEARDOWN(type) \
	{ \
		trial_teardown(_metadata, &self->trial); \
	} \
	struct trial

static inline void trial_require(struct __test_metadata *_metadata, struct trial *trial,
				 const struct trial_spec *spec)
{
	REQUIRE(return, trial_setup(trial, spec));
}

/*
 * What a test found out that is no failure: the runner sums up whose (@_op) a @_fact is,
 * for each filesystem.
 */
#define RECORD(_fs, _fact, _op) \
	ksft_print_msg("recorded: %s %s: %s\n", (_fs)->name, _fact, _op)

/*
 * The whole of a simple test: @page is pinned, so the operation waits; the pin goes,
 * so it completes.
 */
static inline void expect_wait_for(struct __test_metadata *_metadata, struct trial *trial,
				   unsigned int page)
{
	REQUIRE(return, trial_hold(trial, page));
	trial_start(trial);
	ASSERT_BLOCKED(trial);
	REQUIRE(return, trial_release(trial, page));
	ASSERT_COMPLETES(trial);
}

#endif
