// SPDX-License-Identifier: GPL-2.0
/*
 * Tests the server of virtiofs without QEMU and without a guest. The test hands it
 * requests as they are found in a virtqueue. The DAX window is memory of this process, so
 * the test can store there what a guest would store. The checker must notice stores that a
 * good kernel never makes, and must not complain of those that it makes all the time.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <linux/falloc.h>
#include <linux/fs.h>

#include "kselftest_harness.h"

#include "../../tools/testing/selftests/dax_break/virtiofs/control.h"
#include "../../tools/testing/selftests/dax_break/virtiofs/fuse.h"
#include "../../tools/testing/selftests/dax_break/virtiofs/hold.h"
#include "../../tools/testing/selftests/dax_break/virtiofs/log.h"
#include "../../tools/testing/selftests/dax_break/virtiofs/store.h"
#include "../../tools/testing/selftests/dax_break/virtiofs/window.h"
#include "guest.h"

FIXTURE(server) {
	struct asking asking;
};

FIXTURE_SETUP(server)
{
	struct asking *asking = &self->asking;
	const struct fuse_init_in init = { .major = FUSE_KERNEL_VERSION, .flags = -1U };

	window = mmap(NULL, RANGES * RANGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, window);
	/* The server logs for people. This test looks at what it does. */
	ASSERT_NE(NULL, freopen("/dev/null", "w", stderr));
	window_init(RANGES * RANGE_SIZE);
	store_init();
	control_init();
	ASSERT_EQ(0, ASK(FUSE_INIT, 0, init));
	ASSERT_NE(0U, ((struct fuse_init_out *)asking->reply)->flags & FUSE_MAP_ALIGNMENT);
	ASSERT_EQ(0, ask_create(asking, "file", &asking->node));
	ASSERT_EQ(0, ask_write(asking, asking->node, 0, "data"));
	ASSERT_EQ(0, ask_resize(asking, PAGE));
}

FIXTURE_TEARDOWN(server)
{
}

TEST_F(server, names)
{
	struct asking *asking = &self->asking;
	const struct fuse_rename_in to_root = { FUSE_ROOT_ID };
	struct fuse_forget_in forget = { 2 };
	__u64 before = ask_free_blocks(asking), other, found;

	ASSERT_EQ(-ENOENT, ask_lookup(asking, "other", &found));
	ASSERT_EQ(0, ask_create(asking, "other", &other));
	ASSERT_EQ(-EEXIST, ask_create(asking, "other", &found));
	ASSERT_EQ(0, ask_write(asking, other, 0, "other"));
	ASSERT_EQ(before - 1, ask_free_blocks(asking));
	/* Replaces the other one, which is still open, and which the guest still knows. */
	ASSERT_EQ(0, ask(asking, FUSE_RENAME, FUSE_ROOT_ID, &to_root, sizeof(to_root),
			 "file\0other", 11));
	ASSERT_EQ(-ENOENT, ask_lookup(asking, "file", &found));
	ASSERT_EQ(0, ask_lookup(asking, "other", &found));
	ASSERT_EQ(asking->node, found);
	ASSERT_STREQ("other", ask_read(asking, other, 0, 8));
	ASSERT_EQ(0, ask_release(asking, other));
	ASSERT_EQ(before - 1, ask_free_blocks(asking));
	ASSERT_EQ(NO_REPLY, ASK(FUSE_FORGET, other, forget));
	ASSERT_EQ(before, ask_free_blocks(asking));
	ASSERT_EQ(-ENOENT, ask(asking, FUSE_GETATTR, other, "", 0, "", 0));
	ASSERT_STREQ("", complaints_text());
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
	ASSERT_EQ(0, ask_order(asking, "empty"));
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

	/* A directory's flag is inherited by what is created in it from then on. */
	ASSERT_EQ(0, ASK(FUSE_IOCTL, FUSE_ROOT_ID, set));
	ASSERT_EQ(0, ask_create(asking, "other", &other));
	ASSERT_EQ(2U, ((struct fuse_entry_out *)asking->reply)->attr.flags);
	ASSERT_EQ(0, ASK(FUSE_IOCTL, other, get));
	reply = (void *)asking->reply;
	ASSERT_EQ((__u32)FS_XFLAG_DAX, reply->attr.fsx_xflags);
	ASSERT_EQ(0, ask_lookup(asking, "file", &other));
	ASSERT_EQ(0U, ((struct fuse_entry_out *)asking->reply)->attr.flags);
}

TEST_F(server, content)
{
	struct asking *asking = &self->asking;
	const struct fuse_fallocate_in punch = {
		.offset = 1, .length = 2, .mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	};
	struct fuse_copy_file_range_in copy = { .off_out = 1, .len = 2 };

	ASSERT_EQ(0, ask_resize(asking, 4));
	ASSERT_STREQ("data", ask_read(asking, asking->node, 0, 100));
	ASSERT_EQ(0, ask_resize(asking, 2));
	ASSERT_EQ(0, ask_resize(asking, 4));
	ASSERT_STREQ("da", ask_read(asking, asking->node, 0, 100));
	ASSERT_EQ(4UL, asking->len);
	ASSERT_EQ(0, ask_write(asking, asking->node, 0, "data"));
	ASSERT_EQ(0, ASK(FUSE_FALLOCATE, asking->node, punch));
	ASSERT_EQ(0, memcmp("d\0\0a", ask_read(asking, asking->node, 0, 4), 4));
	copy.nodeid_out = asking->node;
	ASSERT_EQ(0, ASK(FUSE_COPY_FILE_RANGE, asking->node, copy));
	ASSERT_EQ(0, memcmp("dd\0a", ask_read(asking, asking->node, 0, 4), 4));
	ASSERT_EQ(-ENOSPC, ask_resize(asking, STORE_SIZE + PAGE));
	ASSERT_STREQ("", complaints_text());
}

/* The checker complains of nothing that a guest may do in a window. */
TEST_F(server, mapped)
{
	struct asking *asking = &self->asking;
	__u64 other;

	ASSERT_EQ(0, ask_map(asking, asking->node, 1));
	ASSERT_STREQ("data", window + RANGE_SIZE);
	store(window + RANGE_SIZE, "more");
	ASSERT_STREQ("more", ask_read(asking, asking->node, 0, 4));
	/* Beyond the end, but in its last page, which is mapped as a whole. */
	ASSERT_EQ(0, ask_resize(asking, 4));
	store(window + RANGE_SIZE + 4, "rubbish");
	ASSERT_EQ(0, ask_resize(asking, 8));
	ASSERT_EQ(0, memcmp("more\0\0\0\0", ask_read(asking, asking->node, 0, 8), 8));
	/* The same range of the window shows another file. */
	ASSERT_EQ(0, ask_unmap(asking, 1));
	ASSERT_EQ(0, ask_create(asking, "other", &other));
	ASSERT_EQ(0, ask_write(asking, other, 0, "other"));
	ASSERT_EQ(0, ask_map(asking, other, 1));
	ASSERT_STREQ("other", window + RANGE_SIZE);
	/* It shows the first one again, and was not given back in between. */
	ASSERT_EQ(0, ask_map(asking, asking->node, 1));
	ASSERT_STREQ("more", window + RANGE_SIZE);
	/* The window has no such range. */
	ASSERT_EQ(-EINVAL, ask_map(asking, asking->node, RANGES));
	store_look("now");
	ASSERT_STREQ("", complaints_text());
}

/* The checker is for this: stores of a device that the kernel has not waited for. */
TEST_F(server, notices_a_store_behind_the_end)
{
	struct asking *asking = &self->asking;

	ASSERT_EQ(0, ask_resize(asking, 2 * PAGE));
	ASSERT_EQ(0, ask_map(asking, asking->node, 0));
	ASSERT_EQ(0, ask_resize(asking, 100));
	store(window + PAGE + 5, "late");
	store_look("now");
	ASSERT_NE(NULL, strstr(complaints_text(),
			       "(file) has 100 bytes, but byte 4101 was written to 6c 61 74 65")) {
		TH_LOG("%s", complaints_text());
	}
	/* It complains once, and the store does no harm later. */
	complaints_clear();
	ASSERT_EQ(0, ask_resize(asking, 2 * PAGE));
	ASSERT_STREQ("", ask_read(asking, asking->node, PAGE + 5, 4));
	ASSERT_STREQ("", complaints_text());
}

TEST_F(server, notices_a_store_into_what_is_unmapped)
{
	struct asking *asking = &self->asking;

	ASSERT_EQ(0, ask_map(asking, asking->node, 2));
	ASSERT_EQ(0, ask_unmap(asking, 2));
	store(window + 2 * RANGE_SIZE + 7, "late");
	store_look("now");
	ASSERT_NE(NULL, strstr(complaints_text(), "what was byte 7 of file 4 was written to")) {
		TH_LOG("%s", complaints_text());
	}
	ASSERT_STREQ("data", ask_read(asking, asking->node, 0, 4));
	/* If nobody looks before, it is noticed when the range is used again. */
	complaints_clear();
	window[2 * RANGE_SIZE] = 1;
	ASSERT_EQ(0, ask_map(asking, asking->node, 2));
	ASSERT_NE(NULL, strstr(complaints_text(), "was written to 01"));
}

TEST_F(server, notices_a_load_from_what_is_unmapped)
{
	struct asking *asking = &self->asking;

	ASSERT_EQ(0, ask_map(asking, asking->node, 2));
	ASSERT_EQ(0, ask_unmap(asking, 2));
	ASSERT_EQ(0, __atomic_load_n(window + 2 * RANGE_SIZE, __ATOMIC_RELAXED));
	store_look("now");
	ASSERT_NE(NULL, strstr(complaints_text(), "what was byte 0 of file 4 was read")) {
		TH_LOG("%s", complaints_text());
	}
}

TEST_F(server, notices_a_store_after_the_last_close)
{
	struct asking *asking = &self->asking;
	struct fuse_forget_in forget = { 1 };

	ASSERT_EQ(0, ask_map(asking, asking->node, 0));
	ASSERT_EQ(0, ask_name(asking, FUSE_UNLINK, "file"));
	ASSERT_EQ(0, ask_release(asking, asking->node));
	ASSERT_EQ(NO_REPLY, ASK(FUSE_FORGET, asking->node, forget));
	ASSERT_NE(NULL, strstr(complaints_text(), "range 0 of the window still shows file"));
	complaints_clear();
	window[PAGE] = 1;
	store_look("now");
	ASSERT_NE(NULL, strstr(complaints_text(), "byte 4096 of file 4 was written to"));
}

TEST_F(server, notices_a_store_after_unmounting)
{
	struct asking *asking = &self->asking;

	ASSERT_EQ(0, ask_map(asking, asking->node, 0));
	ASSERT_EQ(0, ask(asking, FUSE_DESTROY, 0, "", 0, "", 0));
	/* The guest has the file open. */
	ASSERT_NE(NULL, strstr(complaints_text(), "file 4 (file) is still open"));
	complaints_clear();
	window[0] = 1;
	store_look("now");
	ASSERT_NE(NULL, strstr(complaints_text(), "what was byte 0 of file 4 was written to"));
}

/* Keeps back the reply to what was just asked, as virtiofs_server.c does. */
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

	ASSERT_EQ(0, ask_order(asking, "hold FALLOCATE"));
	ASSERT_EQ(0, ask_map(asking, asking->node, 0));
	ASSERT_EQ(0, ASK(FUSE_FALLOCATE, asking->node, punch));
	ASSERT_TRUE(asking->hold);
	keep(asking);
	ASSERT_EQ(1U, hold_count());
	store(window + 9, "late");
	ASSERT_EQ(0, ask_end_orders(asking));
	ASSERT_EQ(0U, hold_count());
	ASSERT_NE(NULL, strstr(complaints_text(), "byte 9 of file 4 (file) was written to 6c")) {
		TH_LOG("%s", complaints_text());
	}
}

TEST_F(server, orders)
{
	struct asking *asking = &self->asking;
	const struct fuse_open_in in = { .flags = O_RDWR };
	const struct fuse_open_out *out = (void *)asking->reply;
	__u64 control;

	ASSERT_EQ(0, ask_lookup(asking, ".control", &control));
	ASSERT_EQ(0, ask_order(asking, "fail SETATTR ENOSPC\n"));
	ASSERT_EQ(-ENOSPC, ask_resize(asking, 0));
	ASSERT_STREQ("data", ask_read(asking, asking->node, 0, 4));
	ASSERT_EQ(-EINVAL, ask_write(asking, control, 0, "fail SETATTR ENOSUCH"));
	ASSERT_EQ(-EINVAL, ask_write(asking, control, 0, "fail NOTHING EIO"));
	ASSERT_EQ(-EINVAL, ask_write(asking, control, 0, "nonsense"));
	ASSERT_EQ(0, ask_write(asking, control, 0, "keep_cache off"));
	ASSERT_EQ(0, ASK(FUSE_OPEN, asking->node, in));
	ASSERT_EQ(0U, out->open_flags & FOPEN_KEEP_CACHE);
	ASSERT_EQ(0, ask_write(asking, control, 0, "hold SETATTR"));
	ASSERT_STREQ("held 0 ranges 4\n", ask_read(asking, control, 0, 100));
	/* Orders end when the file is closed, */
	ASSERT_EQ(0, ask_end_orders(asking));
	ASSERT_EQ(0, ASK(FUSE_OPEN, asking->node, in));
	ASSERT_NE(0U, out->open_flags & FOPEN_KEEP_CACHE);
	ASSERT_EQ(0, ask_resize(asking, 0));
	ASSERT_FALSE(asking->hold);
	/* but not those that are carried out at once. */
	ASSERT_EQ(0, ask_order(asking, "resize 4 10"));
	ASSERT_EQ(0, ask_end_orders(asking));
	ASSERT_EQ(0, ask(asking, FUSE_GETATTR, asking->node, "", 0, "", 0));
	ASSERT_EQ(10ULL, ((struct fuse_attr_out *)asking->reply)->attr.size);
}

TEST_F(server, complaints)
{
	struct asking *asking = &self->asking;
	const struct fuse_open_in in = { .flags = O_RDWR | O_TRUNC };
	__u64 complaints;

	ASSERT_EQ(0, ask_lookup(asking, ".complaints", &complaints));
	complain("of %s", "this");
	complain("and that");
	ASSERT_STREQ("of this\nand that\n", ask_read(asking, complaints, 0, 1000));
	ASSERT_STREQ("this\n", ask_read(asking, complaints, 3, 5));
	ASSERT_EQ(0, ASK(FUSE_OPEN, complaints, in));
	ASSERT_STREQ("", ask_read(asking, complaints, 0, 1000));
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
