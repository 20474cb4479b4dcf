// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "shake.h"

/* One thread in so many is slow, by up to so much before and after each of its calls. */
#define ONE_IN		6
#define UP_TO_MS	20

/*
 * Of a thread. Its numbers follow from those of the thread that made it, and the first
 * thread's of a program from SHAKE_SEED: with the same seed the same threads are slow.
 */
static __thread struct {
	pid_t tid;
	bool slow;
	unsigned long long random;
} self;

static unsigned int number(unsigned int below)
{
	self.random = self.random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (self.random >> 40) % below;
}

/* The numbers of a thread that this one is about to make begin with it. */
static unsigned long long start_of_child(void)
{
	number(1);
	return ~self.random;
}

static void be_new(pid_t tid)
{
	const char *seed = getenv("SHAKE_SEED");

	if (!self.random && seed)
		self.random = strtoull(seed, NULL, 0);
	self.tid = tid;
	self.slow = !number(ONE_IN);
}

static void delay(void)
{
	struct timespec ts = {};
	pid_t tid = gettid();
	int err = errno;

	if (self.tid != tid)
		be_new(tid);
	if (self.slow) {
		ts.tv_nsec = number(UP_TO_MS) * 1000000L;
		nanosleep(&ts, NULL);
	}
	errno = err;
}

#define SHAKEN(call) ({			\
	typeof(call) _result;		\
					\
	delay();			\
	_result = call;			\
	delay();			\
	_result;			\
})

ssize_t __wrap_read(int fd, void *buf, size_t len)
{
	return SHAKEN(__real_read(fd, buf, len));
}

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	return SHAKEN(__real_write(fd, buf, len));
}

ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t at)
{
	return SHAKEN(__real_pread(fd, buf, len, at));
}

ssize_t __wrap_pwrite(int fd, const void *buf, size_t len, off_t at)
{
	return SHAKEN(__real_pwrite(fd, buf, len, at));
}

int __wrap_close(int fd)
{
	return SHAKEN(__real_close(fd));
}

int __wrap_ftruncate(int fd, off_t len)
{
	return SHAKEN(__real_ftruncate(fd, len));
}

int __wrap_fallocate(int fd, int mode, off_t at, off_t len)
{
	return SHAKEN(__real_fallocate(fd, mode, at, len));
}

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t at)
{
	return SHAKEN(__real_mmap(addr, len, prot, flags, fd, at));
}

int __wrap_munmap(void *addr, size_t len)
{
	return SHAKEN(__real_munmap(addr, len));
}

ssize_t __wrap_vmsplice(int fd, const struct iovec *iov, size_t n, unsigned int flags)
{
	return SHAKEN(__real_vmsplice(fd, iov, n, flags));
}

int __wrap_kill(pid_t pid, int sig)
{
	return SHAKEN(__real_kill(pid, sig));
}

pid_t __wrap_fork(void)
{
	unsigned long long start;
	pid_t pid;

	delay();
	start = start_of_child();
	pid = __real_fork();
	if (!pid)
		self.random = start;
	delay();
	return pid;
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
	return SHAKEN(__real_io_uring_submit(ring));
}

struct thread {
	void *(*run)(void *arg);
	void *arg;
	unsigned long long start;
};

static void *thread_run(void *arg)
{
	struct thread thread = *(struct thread *)arg;

	free(arg);
	self.random = thread.start;
	return thread.run(thread.arg);
}

int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*run)(void *),
			  void *arg)
{
	struct thread *thread = malloc(sizeof(*thread));
	int err = EAGAIN;

	delay();
	if (thread) {
		*thread = (struct thread){ run, arg, start_of_child() };
		err = __real_pthread_create(id, attr, thread_run, thread);
	}
	if (err)
		free(thread);
	delay();
	return err;
}
