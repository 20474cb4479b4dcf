/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Delays in the suite's own system calls, by which one of its threads is slower than the
 * others: linked into its programs in place of the C library's wrappers (ld --wrap). A test
 * that takes it for granted that somebody else has got that far fails then.
 */
#ifndef DAX_BREAK_CHECK_SHAKE_H
#define DAX_BREAK_CHECK_SHAKE_H

#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

/* What is called, and what is called instead. The Makefile takes the names from here. */
extern typeof(read) __real_read, __wrap_read;
extern typeof(write) __real_write, __wrap_write;
extern typeof(pread) __real_pread, __wrap_pread;
extern typeof(pwrite) __real_pwrite, __wrap_pwrite;
extern typeof(close) __real_close, __wrap_close;
extern typeof(ftruncate) __real_ftruncate, __wrap_ftruncate;
extern typeof(fallocate) __real_fallocate, __wrap_fallocate;
extern typeof(mmap) __real_mmap, __wrap_mmap;
extern typeof(munmap) __real_munmap, __wrap_munmap;
extern typeof(vmsplice) __real_vmsplice, __wrap_vmsplice;
extern typeof(kill) __real_kill, __wrap_kill;
extern typeof(fork) __real_fork, __wrap_fork;
extern typeof(io_uring_submit) __real_io_uring_submit, __wrap_io_uring_submit;
extern typeof(pthread_create) __real_pthread_create, __wrap_pthread_create;

#endif
