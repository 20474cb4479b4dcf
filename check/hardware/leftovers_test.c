// SPDX-License-Identifier: GPL-2.0
/*
 * Leftovers: a run is killed at a point that nobody has chosen, and after that, by the
 * next run or by dax_break_cleanup, which may be killed as well, the machine is as it
 * was; and so is, byte for byte, what others have on it.
 *
 * DAX_BREAK_KILLS says how often, DAX_BREAK_SEED which points are taken.
 */
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "dax_break.h"
#include "machine.h"
#include "memory/pmem.h"

/* Slow ones are among them: a ublk server that is killed, a testbed that is unmounted. */
static const char *const tests[] = {
	"/bin/waits_test",
	"-r", "waits.ext4_punch_dio_read.two_pins_one_by_one",
	"-r", "waits.ext4_truncate_vmsplice.two_pins_one_by_one",
	"-r", "waits.ext4_umount_dio_write.two_pins_one_by_one",
	"-r", "waits.ext4_punch_fixed_killed.two_pins_one_by_one",
	"-r", "waits.ext4_punch_fuse_read.two_pins_one_by_one", NULL,
};

static const char *const cleanup[] = { "/bin/dax_break_cleanup", NULL };
static const char *const long_run[] = { "/bin/with_pmem", "/bin/busybox", "sleep", "1000", NULL };
static const char *const next_run[] = { "/bin/with_pmem", "/bin/busybox", "true", NULL };

static unsigned int kills;

FIXTURE(leftovers) {
	char *before;
};

FIXTURE_VARIANT(leftovers) {
	bool named;
	bool together;		/* all processes at once, as by a crash */
	int signal;
};

FIXTURE_VARIANT_ADD(leftovers, carved_killed) {
	.signal = SIGKILL,
};

FIXTURE_VARIANT_ADD(leftovers, carved_all_killed) {
	.together = true,
	.signal = SIGKILL,
};

FIXTURE_VARIANT_ADD(leftovers, named_all_killed) {
	.named = true,
	.together = true,
	.signal = SIGKILL,
};

FIXTURE_VARIANT_ADD(leftovers, carved_interrupted) {
	.signal = SIGINT,
};

FIXTURE_VARIANT_ADD(leftovers, named_terminated) {
	.named = true,
	.signal = SIGTERM,
};

FIXTURE_SETUP(leftovers)
{
	self->before = machine_state();
}

FIXTURE_TEARDOWN(leftovers)
{
	EXPECT_TRUE(machine_data_intact());
	free(self->before);
}

static void sleep_us(long us)
{
	struct timespec ts = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&ts, NULL);
}

static long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Every process but init, the harness and kernel threads, which do not mind. */
static void kill_all_others(void)
{
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	while (proc && (entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);
		char path[64], comm[32] = "";
		FILE *f;

		if (pid <= 1)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		f = fopen(path, "re");
		if (f && !fgets(comm, sizeof(comm), f))
			comm[0] = '\0';
		if (f)
			fclose(f);
		if (strncmp(comm, "leftovers_test", 14))
			kill(pid, SIGKILL);
	}
	if (proc)
		closedir(proc);
}

/* What it leaves is to be gone after; that it may be killed at it makes it no easier. */
static void clean_up(struct __test_metadata *_metadata, const char *pmem)
{
	bool by_next_run = random() % 4 == 0;
	const char *const *argv = by_next_run ? next_run : cleanup;
	pid_t pid;

	if (random() % 2) {
		pid = machine_start(pmem, "ext4", 0, argv);
		sleep_us(random() % 300000);
		kill(pid, SIGKILL);
		machine_wait(pid);
	}
	EXPECT_EQ(0, machine_run(pmem, "ext4", 0, argv)) {
		TH_LOG("%s", machine_output());
	}
}

TEST_F_TIMEOUT(leftovers, are_removed, 3600)
{
	const char *pmem = variant->named ? machine_named(machine_empty, 1) : "carve";
	unsigned int runs, alive = 0, dirty = 0;
	long length = 0;
	int whole = 0;

	/* Undisturbed; how long that takes is seen the second time. The kernel may fail. */
	for (int i = 0; i < 2; i++) {
		long start = now_us();

		whole = machine_run(pmem, "ext4", 0, tests);
		ASSERT_TRUE(whole == KSFT_PASS || whole == KSFT_FAIL) {
			TH_LOG("%s", machine_output());
		}
		length = now_us() - start;
	}
	for (runs = 0; alive < kills && _metadata->exit_code == KSFT_PASS; runs++) {
		pid_t pid = machine_start(pmem, "ext4", 0, tests);
		long delay = random() % length;
		char *after;
		int status;

		sleep_us(delay);
		if (variant->together)
			kill_all_others();
		else
			/* As a terminal does, to all of the group; but SIGKILL to one. */
			kill(variant->signal == SIGKILL ? pid : -pid, variant->signal);
		status = machine_wait(pid);
		alive += status != whole;
		after = machine_state();
		dirty += strcmp(self->before, after) != 0;
		/* Those who can, clean up before they go. */
		if (variant->signal != SIGKILL) {
			EXPECT_STREQ(self->before, after) {
				TH_LOG("after %ld us: %s", delay, machine_output());
			}
		} else {
			free(after);
			clean_up(_metadata, pmem);
			after = machine_state();
			EXPECT_STREQ(self->before, after) {
				TH_LOG("killed after %ld us; then: %s", delay, machine_output());
			}
		}
		free(after);
	}
	printf("# recorded: %u of %u runs were under way when killed, %u left something: %s\n",
	       alive, runs, dirty, variant->named ? "named" : "carved");
}

/* Not killed, and not to be disturbed by the cleanup of others. */
FIXTURE(alive) {
	char *before;
	pid_t run;
};

FIXTURE_VARIANT(alive) {
	int dummy;
};

FIXTURE_VARIANT_ADD(alive, carved) {
};

FIXTURE_SETUP(alive)
{
	self->before = machine_state();
	self->run = machine_start("carve", "ext4", 0, long_run);
}

FIXTURE_TEARDOWN(alive)
{
	char *after;

	kill(self->run, SIGTERM);
	EXPECT_EQ(128 + SIGKILL, machine_wait(self->run));
	after = machine_state();
	EXPECT_STREQ(self->before, after);
	free(after);
	free(self->before);
}

/* With its command started, it has all that it makes. */
static bool is_up(void)
{
	char *state = machine_state();
	bool up = strstr(state, "busybox");

	free(state);
	return up;
}

TEST_F_TIMEOUT(alive, is_left_alone, 120)
{
	char *during, *after;

	for (int i = 0; i < 1000 && !is_up(); i++)
		sleep_us(10000);
	ASSERT_TRUE(is_up());
	during = machine_state();
	EXPECT_EQ(0, machine_run(NULL, NULL, 0, cleanup));
	EXPECT_TRUE(machine_said("left alone: 1 under way"));
	EXPECT_EQ(0, machine_run("carve", "ext4", 0, next_run));
	after = machine_state();
	EXPECT_STREQ(during, after);
	free(during);
	free(after);
}

int main(int argc, char **argv)
{
	const char *number = getenv("DAX_BREAK_KILLS"), *seed = getenv("DAX_BREAK_SEED");

	if (argc == 2 && !strcmp(argv[1], "-l")) {
		dax_break_list();
		return KSFT_PASS;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	kills = number ? atoi(number) : 2;
	srandom(seed ? atoi(seed) : 1);
	printf("# DAX_BREAK_SEED=%s\n", seed ? seed : "1");
	machine_setup();
	return test_harness_run(argc, argv);
}
