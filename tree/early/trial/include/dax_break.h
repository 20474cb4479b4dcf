/* SPDX-License-Identifier: GPL-2.0 */
#ifndef DAX_BREAK_H
#define DAX_BREAK_H

#define ASSERT_SEEN_BLOCKED(_trial, _seen) do { \
	struct trial *__trial = (_trial); \
\
	ASSERT_EQ(WAITER_BLOCKED, _seen) { \
		BROKEN(__trial->waiter.seen == WAITER_DONE ? P1_WAITS : P2_WAKES, "%s", \
		       trial_describe(__trial)); \
	} \
} while (0)

/* P2: done, now that nothing is pinned any more. */
#define ASSERT_COMPLETES(_trial) do { \
	struct trial *__trial = (_trial); \
\
	ASSERT_EQ(WAITER_DONE, waiter_observe_end(&__trial->waiter)) { \
		BROKEN(P2_WAKES, "%s", trial_describe(__trial)); \
	} \
	ASSERT_EQ(0, waiter_result(&__trial->waiter)) { \
		BROKEN(P2_WAKES, "%s", trial_describe(__trial)); \
	} \
} while (0)

/* A fixture whose only data is a trial, and whose variants are operation and holder. */
#define TRIAL_FIXTURE(type) \
	FIXTURE(type) { \
		struct trial trial; \
	}; \
	FIXTURE_VARIANT(type) { \
		const char *op, *holder; \
	}; \
	FIXTURE_SETUP(type) \
	{ \
		trial_require(_metadata, &self->trial, variant->op, variant->holder); \
	} \
	FIXTURE_TEARDOWN(type) \
	{ \
		trial_end(&self->trial); \
	} \
	struct trial

static inline void trial_require(struct __test_metadata *_metadata, struct trial *trial,
				 const char *op, const char *holder)
{
	REQUIRE(return, trial_setup(trial, op, holder));
}

#endif
