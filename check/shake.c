// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdbool.h>
#include <time.h>

#include "shake.h"

/* One thread in so many is slow, by up to so much before and after each of its calls. */
#define ONE_IN		6
#define UP_TO_MS	20

/* Of a thread, which begins with those of the one that it was forked by. */
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

static void delay(void)
{
	struct timespec ts;
	pid_t tid = gettid();
	int err = errno;

	if (self.tid != tid) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		self.tid = tid;
		self.random = ts.tv_nsec ^ ((unsigned long long)tid << 32);
		self.slow = !number(ONE_IN);
	}
	if (self.slow) {
		ts.tv_sec = 0;
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
	return SHAKEN(__real_fork());
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
	return SHAKEN(__real_io_uring_submit(ring));
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *arg)
{
	return SHAKEN(__real_pthread_create(thread, attr, run, arg));
}
