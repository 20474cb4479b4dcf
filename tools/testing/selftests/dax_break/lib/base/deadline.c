// SPDX-License-Identifier: GPL-2.0
#include <sys/wait.h>
#include <time.h>

#include "deadline.h"

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

long deadline_in(long ms)
{
	return now_ms() + ms;
}

bool deadline_over(long deadline)
{
	return now_ms() >= deadline;
}

int deadline_left(long deadline)
{
	long left = deadline - now_ms();

	return left > 0 ? left : 0;
}

void deadline_pause(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
}

bool deadline_wait_child(pid_t pid, long ms, int *status)
{
	long deadline = deadline_in(ms);

	for (;;) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		if (deadline_over(deadline))
			return false;
		deadline_pause();
	}
}
