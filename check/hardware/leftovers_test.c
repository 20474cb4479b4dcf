// SPDX-License-Identifier: GPL-2.0
/*
 * Leftovers: a run is killed at a random point. Then the next run, or dax_break_cleanup,
 * cleans up, and may be killed at that as well.
 *
 *	leftovers	Seen must be: the machine is as it was before, and so is, byte for
 *			byte, what others have on it
 *	alive		another run is still under way. Seen must be: what it has is left
 *			alone
 *
 * DAX_BREAK_KILLS says how many runs are killed, DAX_BREAK_SEED at which points.
 */
#include <dirent.h>
#include <signal.h>
#include <time.h>

#include "dax_break.h"
#include "machine.h"
#include "memory/pmem.h"

/* Some are slow to end: a ublk server is killed, a testbed is unmounted. */
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

static unsigned int kills;	/* as DAX_BREAK_KILLS says */

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

/* Is it this program, or a fork of it? */
static bool is_ours(pid_t pid)
{
	char path[64], comm[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (f && !fgets(comm, sizeof(comm), f))
		comm[0] = '\0';
	if (f)
		fclose(f);
	return !strncmp(comm, "leftovers_test", 14);
}

/* All but init and ourselves. Kernel threads are not affected. */
static void kill_all_others(void)
{
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	while (proc && (entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 1 && !is_ours(pid))
			kill(pid, SIGKILL);
	}
	if (proc)
		closedir(proc);
}

/* Kills run @pid after @delay, in the way of the variant; returns its exit status. */
static int kill_run(pid_t pid, long delay, bool together, int signal)
{
	sleep_us(delay);
	if (together)
		kill_all_others();
	else
		/* Signals of a terminal go to the whole group; SIGKILL goes to one process. */
		kill(signal == SIGKILL ? pid : -pid, signal);
	return machine_wait(pid);
}

/* Cleans up after a killed run: half of the times, only after a try that is killed too. */
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

/* How long a run takes (us) if it is not disturbed, and the exit status that it has. */
static long undisturbed(struct __test_metadata *_metadata, const char *pmem, int *status)
{
	long start = 0;

	/* The second run tells the time: the first one may have to warm up. */
	for (int i = 0; i < 2; i++) {
		start = now_us();
		*status = machine_run(pmem, "ext4", 0, tests);
		/* It may also be a kernel that breaks promises. */
		ASSERT_TRUE(*status == KSFT_PASS || *status == KSFT_FAIL) {
			TH_LOG("%s", machine_output());
		}
	}
	return now_us() - start;
}

/* The machine is as it was @before a run that was killed after @delay (us). */
static void expect_clean_machine(struct __test_metadata *_metadata, const char *before,
				 long delay)
{
	char *after = machine_state();

	EXPECT_STREQ(before, after) {
		TH_LOG("killed after %ld us; then: %s", delay, machine_output());
	}
	free(after);
}

TEST_F_TIMEOUT(leftovers, are_removed, 3600)
{
	const char *pmem = variant->named ? machine_named(machine_empty, 1) : "carve";
	unsigned int runs, alive = 0, dirty = 0;
	int whole;
	long length = undisturbed(_metadata, pmem, &whole);

	for (runs = 0; alive < kills && _metadata->exit_code == KSFT_PASS; runs++) {
		pid_t pid = machine_start(pmem, "ext4", 0, tests);
		long delay = random() % length;
		char *left;

		if (kill_run(pid, delay, variant->together, variant->signal) != whole)
			alive++;
		left = machine_state();
		dirty += strcmp(self->before, left) != 0;
		free(left);
		/* After any other signal the run cleans up by itself, before it ends. */
		if (variant->signal == SIGKILL)
			clean_up(_metadata, pmem);
		expect_clean_machine(_metadata, self->before, delay);
	}
	printf("# recorded: %u of %u runs were under way when killed, %u left something: %s\n",
	       alive, runs, dirty, variant->named ? "named" : "carved");
}

/* A run that is not killed: others that clean up must not disturb it. */
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

/* By the time that its command runs, with_pmem has made all that it makes. */
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

	setvbuf(stdout, NULL, _IOLBF, 0);
	kills = number ? atoi(number) : 2;
	srandom(seed ? atoi(seed) : 1);
	printf("# DAX_BREAK_SEED=%s\n", seed ? seed : "1");
	machine_setup();
	return test_harness_run(argc, argv);
}
