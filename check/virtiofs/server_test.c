// SPDX-License-Identifier: GPL-2.0
/*
 * The server of virtiofs without QEMU and without a guest: requests are given to it as
 * they are found in a virtqueue, and its DAX window is memory of this process, so what a
 * guest would store there is stored by the test. That includes what a good kernel never
 * does, which the checker must notice, and what it does all the time, which it must not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/fuse.h>

#include "kselftest_harness.h"

#include "../../vm/virtiofs/checker.h"
#include "../../vm/virtiofs/control.h"
#include "../../vm/virtiofs/fuse.h"
#include "../../vm/virtiofs/hold.h"
#include "../../vm/virtiofs/shmem.h"
#include "../../vm/virtiofs/store.h"
#include "../../vm/virtiofs/window.h"

#define RANGES	4
#define PAGE	4096

static char *window;

/* As whoever has the page mapped does, or a device. */
static void store(char *at, const char *text)
{
	memcpy(at, text, strlen(text) + 1);
}

/* In place of those of vhost_user.c: just as strict as QEMU. */
static struct {
	__u64 at, len;
} mapped[RANGES];

int shmem_map(int fd, __u64 offset, __u64 at, __u64 len)
{
	struct stat st;

	if (fstat(fd, &st) || offset + len > (__u64)st.st_size || mapped[at / RANGE_SIZE].len)
		return -EIO;
	if (mmap(window + at, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, offset) ==
	    MAP_FAILED)
		return -errno;
	mapped[at / RANGE_SIZE].at = at;
	mapped[at / RANGE_SIZE].len = len;
	return 0;
}

int shmem_unmap(__u64 at, __u64 len)
{
	if (mapped[at / RANGE_SIZE].at != at || mapped[at / RANGE_SIZE].len != len)
		return -EIO;
	mapped[at / RANGE_SIZE].len = 0;
	return mmap(window + at, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	       MAP_FAILED ? -errno : 0;
}

struct asking {
	__u64 node;		/* of a file "file" of one page, open */
	char request[8192];
	char reply[8192];
	size_t len;		/* of the reply */
};

FIXTURE(server) {
	struct asking asking;
};

/* Asks the server, with @in and then @more. Returns what it answers: 0 or a negative errno. */
static int ask(struct asking *asking, __u32 opcode, __u64 node, const void *in, size_t in_len,
	       const void *more, size_t more_len)
{
	struct fuse_in_header *header = (void *)asking->request;
	struct request r = {
		.header = header,
		.in = header + 1,
		.in_len = in_len + more_len,
		.out = asking->reply,
		.out_max = sizeof(asking->reply),
	};
	int rc;

	*header = (struct fuse_in_header){
		.len = sizeof(*header) + r.in_len,
		.opcode = opcode,
		.nodeid = node,
	};
	memcpy((char *)r.in, in, in_len);
	memcpy((char *)r.in + in_len, more, more_len);
	((char *)r.in)[r.in_len] = '\0';
	rc = fuse_answer(&r);
	asking->len = r.out_len;
	return rc;
}

#define ASK(_opcode, _node, _in) ask(asking, _opcode, _node, &(_in), sizeof(_in), "", 0)

static int ask_name(struct asking *asking, __u32 opcode, const char *name)
{
	return ask(asking, opcode, FUSE_ROOT_ID, name, strlen(name) + 1, "", 0);
}

static int lookup(struct asking *asking, const char *name, __u64 *node)
{
	int rc = ask_name(asking, FUSE_LOOKUP, name);

	*node = ((struct fuse_entry_out *)asking->reply)->nodeid;
	return rc;
}

static int create(struct asking *asking, const char *name, __u64 *node)
{
	const struct fuse_create_in in = { .mode = 0600 };
	int rc = ask(asking, FUSE_CREATE, FUSE_ROOT_ID, &in, sizeof(in), name, strlen(name) + 1);

	*node = ((struct fuse_entry_out *)asking->reply)->nodeid;
	return rc;
}

static int put(struct asking *asking, __u64 node, __u64 at, const char *text)
{
	const struct fuse_write_in in = { .offset = at, .size = strlen(text) };

	return ask(asking, FUSE_WRITE, node, &in, sizeof(in), text, in.size);
}

/* What is in there, as text; overwritten by the next request. */
static const char *get(struct asking *asking, __u64 node, __u64 at, size_t len)
{
	const struct fuse_read_in in = { .offset = at, .size = len };

	if (ASK(FUSE_READ, node, in))
		return "(fails)";
	asking->reply[asking->len] = '\0';
	return asking->reply;
}

static int resize(struct asking *asking, __u64 size)
{
	const struct fuse_setattr_in in = { .valid = FATTR_SIZE, .size = size };

	return ASK(FUSE_SETATTR, asking->node, in);
}

static int map(struct asking *asking, __u64 node, unsigned int range)
{
	const struct fuse_setupmapping_in in = { .len = RANGE_SIZE, .moffset = range * RANGE_SIZE };

	return ASK(FUSE_SETUPMAPPING, node, in);
}

static int unmap(struct asking *asking, unsigned int range)
{
	const struct {
		struct fuse_removemapping_in in;
		struct fuse_removemapping_one one;
	} in = { { 1 }, { range * RANGE_SIZE, RANGE_SIZE } };

	return ASK(FUSE_REMOVEMAPPING, asking->node, in);
}

static int release(struct asking *asking, __u64 node)
{
	const struct fuse_release_in in = { 0 };

	return ASK(FUSE_RELEASE, node, in);
}

static __u64 free_blocks(struct asking *asking)
{
	return ask(asking, FUSE_STATFS, FUSE_ROOT_ID, "", 0, "", 0) ? 0 :
	       ((struct fuse_statfs_out *)asking->reply)->st.bfree;
}

/* Opens .control and gives it an order. */
static int order(struct asking *asking, const char *text)
{
	const struct fuse_open_in in = { .flags = O_RDWR };
	__u64 control;

	return lookup(asking, ".control", &control) ?:
	       ASK(FUSE_OPEN, control, in) ?:
	       put(asking, control, 0, text);
}

static int end_orders(struct asking *asking)
{
	__u64 control;

	return lookup(asking, ".control", &control) ?: release(asking, control);
}

FIXTURE_SETUP(server)
{
	struct asking *asking = &self->asking;
	const struct fuse_init_in init = { .major = FUSE_KERNEL_VERSION, .flags = -1U };

	window = mmap(NULL, RANGES * RANGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, window);
	/* What it says is for people, and this is about what it does. */
	ASSERT_NE(NULL, freopen("/dev/null", "w", stderr));
	window_init(RANGES * RANGE_SIZE);
	store_init();
	control_init();
	ASSERT_EQ(0, ASK(FUSE_INIT, 0, init));
	ASSERT_NE(0U, ((struct fuse_init_out *)asking->reply)->flags & FUSE_MAP_ALIGNMENT);
	ASSERT_EQ(0, create(asking, "file", &asking->node));
	ASSERT_EQ(0, put(asking, asking->node, 0, "data"));
	ASSERT_EQ(0, resize(asking, PAGE));
}

FIXTURE_TEARDOWN(server)
{
}

TEST_F(server, names)
{
	struct asking *asking = &self->asking;
	const struct fuse_rename_in to_root = { FUSE_ROOT_ID };
	struct fuse_forget_in forget = { 2 };
	__u64 before = free_blocks(asking), other, found;

	ASSERT_EQ(-ENOENT, lookup(asking, "other", &found));
	ASSERT_EQ(0, create(asking, "other", &other));
	ASSERT_EQ(-EEXIST, create(asking, "other", &found));
	ASSERT_EQ(0, put(asking, other, 0, "other"));
	ASSERT_EQ(before - 1, free_blocks(asking));
	/* Over the other one, which is still open, and known. */
	ASSERT_EQ(0, ask(asking, FUSE_RENAME, FUSE_ROOT_ID, &to_root, sizeof(to_root),
			 "file\0other", 11));
	ASSERT_EQ(-ENOENT, lookup(asking, "file", &found));
	ASSERT_EQ(0, lookup(asking, "other", &found));
	ASSERT_EQ(asking->node, found);
	ASSERT_STREQ("other", get(asking, other, 0, 8));
	ASSERT_EQ(0, release(asking, other));
	ASSERT_EQ(before - 1, free_blocks(asking));
	ASSERT_EQ(NO_REPLY, ASK(FUSE_FORGET, other, forget));
	ASSERT_EQ(before, free_blocks(asking));
	ASSERT_EQ(-ENOENT, ask(asking, FUSE_GETATTR, other, "", 0, "", 0));
	ASSERT_STREQ("", checker_complaints());
}

TEST_F(server, directory)
{
	struct asking *asking = &self->asking;
	const struct fuse_read_in in = { .size = 8192 };
	const struct fuse_mkdir_in mode = { .mode = 0755 };
	const struct fuse_dirent *entry = (void *)asking->reply;

	ASSERT_EQ(0, ask(asking, FUSE_MKDIR, FUSE_ROOT_ID, &mode, sizeof(mode), "dir", 4));
	ASSERT_EQ(0, ASK(FUSE_READDIR, FUSE_ROOT_ID, in));
	for (const char *name = ".control"; name;
	     name = !strcmp(name, ".control") ? ".complaints" :
		    !strcmp(name, ".complaints") ? "file" : !strcmp(name, "file") ? "dir" : NULL) {
		ASSERT_EQ(strlen(name), entry->namelen);
		ASSERT_EQ(0, strncmp(name, entry->name, entry->namelen));
		entry = (void *)((char *)entry + FUSE_DIRENT_SIZE(entry));
	}
	ASSERT_EQ((char *)entry, asking->reply + asking->len);
	ASSERT_EQ(0, ask_name(asking, FUSE_RMDIR, "dir"));
	ASSERT_EQ(0, order(asking, "empty"));
	ASSERT_EQ(-ENOENT, ask_name(asking, FUSE_LOOKUP, "file"));
	ASSERT_EQ(0, ask_name(asking, FUSE_LOOKUP, ".complaints"));
}

TEST_F(server, dax_flag)
{
	struct asking *asking = &self->asking;
	const struct fuse_ioctl_in get = { .cmd = FS_IOC_FSGETXATTR };
	const struct {
		struct fuse_ioctl_in in;
		struct fsxattr attr;
	} set = { { .cmd = (__u32)FS_IOC_FSSETXATTR }, { .fsx_xflags = FS_XFLAG_DAX } };
	const struct {
		struct fuse_ioctl_out out;
		struct fsxattr attr;
	} *reply;
	__u64 other;

	/* Of a directory: for what is created in it from then on. */
	ASSERT_EQ(0, ASK(FUSE_IOCTL, FUSE_ROOT_ID, set));
	ASSERT_EQ(0, create(asking, "other", &other));
	ASSERT_EQ(2U, ((struct fuse_entry_out *)asking->reply)->attr.flags);
	ASSERT_EQ(0, ASK(FUSE_IOCTL, other, get));
	reply = (void *)asking->reply;
	ASSERT_EQ((__u32)FS_XFLAG_DAX, reply->attr.fsx_xflags);
	ASSERT_EQ(0, lookup(asking, "file", &other));
	ASSERT_EQ(0U, ((struct fuse_entry_out *)asking->reply)->attr.flags);
}

TEST_F(server, content)
{
	struct asking *asking = &self->asking;
	const struct fuse_fallocate_in punch = {
		.offset = 1, .length = 2, .mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	};
	struct fuse_copy_file_range_in copy = { .off_out = 1, .len = 2 };

	ASSERT_EQ(0, resize(asking, 4));
	ASSERT_STREQ("data", get(asking, asking->node, 0, 100));
	ASSERT_EQ(0, resize(asking, 2));
	ASSERT_EQ(0, resize(asking, 4));
	ASSERT_STREQ("da", get(asking, asking->node, 0, 100));
	ASSERT_EQ(4UL, asking->len);
	ASSERT_EQ(0, put(asking, asking->node, 0, "data"));
	ASSERT_EQ(0, ASK(FUSE_FALLOCATE, asking->node, punch));
	ASSERT_EQ(0, memcmp("d\0\0a", get(asking, asking->node, 0, 4), 4));
	copy.nodeid_out = asking->node;
	ASSERT_EQ(0, ASK(FUSE_COPY_FILE_RANGE, asking->node, copy));
	ASSERT_EQ(0, memcmp("dd\0a", get(asking, asking->node, 0, 4), 4));
	ASSERT_EQ(-ENOSPC, resize(asking, STORE_SIZE + PAGE));
	ASSERT_STREQ("", checker_complaints());
}

/* All that a guest may do in a window. */
TEST_F(server, mapped)
{
	struct asking *asking = &self->asking;
	__u64 other;

	ASSERT_EQ(0, map(asking, asking->node, 1));
	ASSERT_STREQ("data", window + RANGE_SIZE);
	store(window + RANGE_SIZE, "more");
	ASSERT_STREQ("more", get(asking, asking->node, 0, 4));
	/* Behind the end, but in its last page: that is how pages are mapped. */
	ASSERT_EQ(0, resize(asking, 4));
	store(window + RANGE_SIZE + 4, "rubbish");
	ASSERT_EQ(0, resize(asking, 8));
	ASSERT_EQ(0, memcmp("more\0\0\0\0", get(asking, asking->node, 0, 8), 8));
	/* The same range for another file. */
	ASSERT_EQ(0, unmap(asking, 1));
	ASSERT_EQ(0, create(asking, "other", &other));
	ASSERT_EQ(0, put(asking, other, 0, "other"));
	ASSERT_EQ(0, map(asking, other, 1));
	ASSERT_STREQ("other", window + RANGE_SIZE);
	/* And for the first one again, without having been told that it is free. */
	ASSERT_EQ(0, map(asking, asking->node, 1));
	ASSERT_STREQ("more", window + RANGE_SIZE);
	/* More of the window than there is. */
	ASSERT_EQ(-EINVAL, map(asking, asking->node, RANGES));
	checker_look("now");
	ASSERT_STREQ("", checker_complaints());
}

/* What the checker is for: stores of a device that the kernel has not waited for. */
TEST_F(server, notices_a_store_behind_the_end)
{
	struct asking *asking = &self->asking;

	ASSERT_EQ(0, resize(asking, 2 * PAGE));
	ASSERT_EQ(0, map(asking, asking->node, 0));
	ASSERT_EQ(0, resize(asking, 100));
	store(window + PAGE + 5, "late");
	checker_look("now");
	ASSERT_NE(NULL, strstr(checker_complaints(),
			       "(file) has 100 bytes, but byte 4101 was written to 6c 61 74 65")) {
		TH_LOG("%s", checker_complaints());
	}
	/* Once, and it does no harm later. */
	checker_clear();
	ASSERT_EQ(0, resize(asking, 2 * PAGE));
	ASSERT_STREQ("", get(asking, asking->node, PAGE + 5, 4));
	ASSERT_STREQ("", checker_complaints());
}

TEST_F(server, notices_a_store_into_what_is_unmapped)
{
	struct asking *asking = &self->asking;

	ASSERT_EQ(0, map(asking, asking->node, 2));
	ASSERT_EQ(0, unmap(asking, 2));
	store(window + 2 * RANGE_SIZE + 7, "late");
	checker_look("now");
	ASSERT_NE(NULL, strstr(checker_complaints(), "what was byte 7 of file 4 was written to")) {
		TH_LOG("%s", checker_complaints());
	}
	ASSERT_STREQ("data", get(asking, asking->node, 0, 4));
	/* It is also noticed when nobody looks before the range is used again. */
	checker_clear();
	window[2 * RANGE_SIZE] = 1;
	ASSERT_EQ(0, map(asking, asking->node, 2));
	ASSERT_NE(NULL, strstr(checker_complaints(), "was written to 01"));
}

TEST_F(server, notices_a_load_from_what_is_unmapped)
{
	struct asking *asking = &self->asking;

	ASSERT_EQ(0, map(asking, asking->node, 2));
	ASSERT_EQ(0, unmap(asking, 2));
	ASSERT_EQ(0, __atomic_load_n(window + 2 * RANGE_SIZE, __ATOMIC_RELAXED));
	checker_look("now");
	ASSERT_NE(NULL, strstr(checker_complaints(), "what was byte 0 of file 4 was read")) {
		TH_LOG("%s", checker_complaints());
	}
}

TEST_F(server, notices_a_store_after_the_last_close)
{
	struct asking *asking = &self->asking;
	struct fuse_forget_in forget = { 1 };

	ASSERT_EQ(0, map(asking, asking->node, 0));
	ASSERT_EQ(0, ask_name(asking, FUSE_UNLINK, "file"));
	ASSERT_EQ(0, release(asking, asking->node));
	ASSERT_EQ(NO_REPLY, ASK(FUSE_FORGET, asking->node, forget));
	ASSERT_NE(NULL, strstr(checker_complaints(), "range 0 of the window still shows file"));
	checker_clear();
	window[PAGE] = 1;
	checker_look("now");
	ASSERT_NE(NULL, strstr(checker_complaints(), "byte 4096 of file 4 was written to"));
}

TEST_F(server, notices_a_store_after_unmounting)
{
	struct asking *asking = &self->asking;

	ASSERT_EQ(0, map(asking, asking->node, 0));
	ASSERT_EQ(0, ask(asking, FUSE_DESTROY, 0, "", 0, "", 0));
	/* It has the file open. */
	ASSERT_NE(NULL, strstr(checker_complaints(), "file 4 (file) is still open"));
	checker_clear();
	window[0] = 1;
	checker_look("now");
	ASSERT_NE(NULL, strstr(checker_complaints(), "what was byte 0 of file 4 was written to"));
}

/* As main() does: keeps back the reply to what was just asked. */
static void keep(struct asking *asking)
{
	const struct fuse_in_header *header = (void *)asking->request;
	const struct chain chain = { .in_len = header->len };
	static struct virtqueue queue;

	hold_reply(&queue, &chain, asking->request, asking->reply, asking->len);
}

TEST_F(server, notices_a_store_while_it_punches)
{
	struct asking *asking = &self->asking;
	const struct fuse_fallocate_in punch = {
		.offset = 0, .length = PAGE, .mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	};

	ASSERT_EQ(0, order(asking, "hold FALLOCATE"));
	ASSERT_TRUE(control_holds(fuse_op_find(FUSE_FALLOCATE)));
	ASSERT_EQ(0, map(asking, asking->node, 0));
	ASSERT_EQ(0, ASK(FUSE_FALLOCATE, asking->node, punch));
	keep(asking);
	ASSERT_EQ(1U, hold_count());
	store(window + 9, "late");
	ASSERT_EQ(0, end_orders(asking));
	ASSERT_EQ(0U, hold_count());
	ASSERT_NE(NULL, strstr(checker_complaints(), "byte 9 of file 4 (file) was written to 6c")) {
		TH_LOG("%s", checker_complaints());
	}
}

TEST_F(server, orders)
{
	struct asking *asking = &self->asking;
	const struct fuse_open_in in = { .flags = O_RDWR };
	const struct fuse_open_out *out = (void *)asking->reply;
	__u64 control;

	ASSERT_EQ(0, lookup(asking, ".control", &control));
	ASSERT_EQ(0, order(asking, "fail SETATTR ENOSPC\n"));
	ASSERT_EQ(-ENOSPC, resize(asking, 0));
	ASSERT_STREQ("data", get(asking, asking->node, 0, 4));
	ASSERT_EQ(-EINVAL, put(asking, control, 0, "fail SETATTR ENOSUCH"));
	ASSERT_EQ(-EINVAL, put(asking, control, 0, "fail NOTHING EIO"));
	ASSERT_EQ(-EINVAL, put(asking, control, 0, "nonsense"));
	ASSERT_EQ(0, put(asking, control, 0, "keep_cache off"));
	ASSERT_EQ(0, ASK(FUSE_OPEN, asking->node, in));
	ASSERT_EQ(0U, out->open_flags & FOPEN_KEEP_CACHE);
	ASSERT_EQ(0, put(asking, control, 0, "hold SETATTR"));
	ASSERT_STREQ("held 0 ranges 4\n", get(asking, control, 0, 100));
	/* All of it ends with the file. */
	ASSERT_EQ(0, end_orders(asking));
	ASSERT_FALSE(control_holds(fuse_op_find(FUSE_SETATTR)));
	ASSERT_EQ(0, ASK(FUSE_OPEN, asking->node, in));
	ASSERT_NE(0U, out->open_flags & FOPEN_KEEP_CACHE);
	ASSERT_EQ(0, resize(asking, 0));
	/* But what was done at once. */
	ASSERT_EQ(0, order(asking, "resize 4 10"));
	ASSERT_EQ(0, end_orders(asking));
	ASSERT_EQ(0, ask(asking, FUSE_GETATTR, asking->node, "", 0, "", 0));
	ASSERT_EQ(10ULL, ((struct fuse_attr_out *)asking->reply)->attr.size);
}

TEST_F(server, complaints)
{
	struct asking *asking = &self->asking;
	const struct fuse_open_in in = { .flags = O_RDWR | O_TRUNC };
	__u64 complaints;

	ASSERT_EQ(0, lookup(asking, ".complaints", &complaints));
	complain("of %s", "this");
	complain("and that");
	ASSERT_STREQ("of this\nand that\n", get(asking, complaints, 0, 1000));
	ASSERT_STREQ("this\n", get(asking, complaints, 3, 5));
	ASSERT_EQ(0, ASK(FUSE_OPEN, complaints, in));
	ASSERT_STREQ("", get(asking, complaints, 0, 1000));
}

TEST_F(server, what_cannot_be)
{
	struct asking *asking = &self->asking;
	const struct fuse_setattr_in in = { .valid = FATTR_SIZE };
	struct fuse_setupmapping_in setup = { .len = PAGE };

	ASSERT_EQ(-38, ASK(FUSE_SETLK, asking->node, in));
	ASSERT_EQ(-ENOENT, ASK(FUSE_SETATTR, 1234, in));
	ASSERT_EQ(-EINVAL, ask(asking, FUSE_SETATTR, asking->node, &in, 1, "", 0));
	ASSERT_EQ(-EINVAL, ASK(FUSE_SETUPMAPPING, asking->node, setup));
	ASSERT_EQ(NO_REPLY, ASK(FUSE_FORGET, 1234, in));
}

TEST_HARNESS_MAIN
