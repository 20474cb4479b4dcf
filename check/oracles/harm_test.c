// SPDX-License-Identifier: GPL-2.0
/*
 * The oracles that look for harm, against harm that is done on purpose: data is lost or
 * overwritten, something is left behind, the kernel complains. Each case does one such
 * thing, and the oracle must see it, and must be content once it has been undone.
 *
 * For P5, loses nothing, P8, end of life, and P9, quiet kernel.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dax_break.h"
#include "deadline.h"
#include "filesystem/make.h"
#include "victim.h"
#include "written.h"

FIXTURE(harm) {
	struct trial trial;
	struct victim victim;
};

FIXTURE_VARIANT(harm) {
	struct fs_op on;
};

FIXTURE_SETUP(harm)
{
	const struct trial_spec spec = {
		.on = { variant->on.fs, op_find("punch") },
		.holder = HOLDER_DEVICE,
		.pages = 8,
		.first = 2,
		.count = 4,
	};

	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(harm)
{
	victim_end(&self->victim);
	trial_end(&self->trial);
	quiet_check();
}

/* P9: a warning, in the kernel's own words. */
TEST_F(harm, sees_a_complaint)
{
	static const char text[] = "<4>WARNING: not really\n";
	int fd = open("/dev/kmsg", O_WRONLY);

	ASSERT_EQ(0, quiet_check());
	ASSERT_EQ((ssize_t)strlen(text), write(fd, text, strlen(text)));
	close(fd);
	ASSERT_NE(0, quiet_check());
	ASSERT_STREQ("the kernel says: WARNING: not really", why());
	ASSERT_EQ(0, quiet_check());
}

/* P5: the victim owns the blocks that the operation freed, and something writes to one. */
TEST_F(harm, sees_an_overwritten_page)
{
	struct trial *trial = &self->trial;
	struct victim *victim = &self->victim;
	__u64 physical = dax_file_physical(&trial->file, 3);

	REQUIRE(return, victim_crowd(victim, variant->on.fs));
	trial_start(trial);
	ASSERT_COMPLETES(trial);
	REQUIRE(return, victim_take(victim));
	ASSERT_EQ(0, victim_check(victim));
	/* It is a victim only if it has got the very block that was the file's. */
	ASSERT_NE(0ULL, physical);
	ASSERT_NE(-1, victim_page_at(victim, physical));
	ASSERT_EQ(1, pwrite(victim->file.fd, "x", 1, 2 * victim->file.page_size + 5));
	ASSERT_NE(0, victim_check(victim));
	ASSERT_NE(NULL, strstr(why(), "page 2 of another file"));
	ASSERT_NE(NULL, strstr(why(), "1 bytes, from byte 5"));
}

/* P5: pages that were stored to are not written back. */
TEST_F(harm, sees_what_is_not_written_back)
{
	struct trial *trial = &self->trial;
	bool written[16] = { false };

	REQUIRE(return, written_begin());
	for (unsigned int page = 0; page < trial->file.pages; page++)
		dax_file_store(&trial->file, page);
	trial_start(trial);
	ASSERT_COMPLETES(trial);
	REQUIRE(return, written_look(trial->file.ino, written, ARRAY_SIZE(written)));
	written[0] = true;
	ASSERT_NE(0, trial_all_written(trial, written));
	ASSERT_NE(NULL, strstr(why(), "page 1 before punch"));
	/* The pages of the hole need not be; all the others must. */
	for (unsigned int page = 0; page < ARRAY_SIZE(written); page++)
		written[page] = page < 2 || page >= 6;
	ASSERT_EQ(0, trial_all_written(trial, written));
}

/* P5: a test has left a file behind. */
TEST_F(harm, sees_a_file_left_behind)
{
	const struct dax_file_spec spec = { .dir = testbed_dir(variant->on.fs), .pages = 4 };
	struct dax_file left;

	trial_end(&self->trial);
	REQUIRE(return, dax_file_create(&left, &spec));
	dax_file_let_go(&left);
	ASSERT_NE(0, aftermath_check(variant->on.fs));
	ASSERT_NE(NULL, strstr(why(), "blocks are free"));
	unlink(left.path);
	ASSERT_EQ(0, aftermath_check(variant->on.fs)) {
		TH_LOG("%s", why());
	}
}

/* P5: the filesystem is damaged on the device. */
TEST_F(harm, sees_a_damaged_filesystem)
{
	const struct filesystem *fs = variant->on.fs;
	size_t size = 2 * sysconf(_SC_PAGESIZE);
	char *good = malloc(size), *bad = calloc(1, size);
	const char *device = testbed_device(fs);
	int fd;

	trial_end(&self->trial);
	REQUIRE(return, testbed_unmount(fs));
	ASSERT_EQ(0, filesystem_check(fs, device)) {
		TH_LOG("%s", why());
	}
	fd = open(device, O_RDWR);
	/* The block behind the superblock leads to everything else. */
	ASSERT_EQ((ssize_t)size, pread(fd, good, size, sysconf(_SC_PAGESIZE)));
	ASSERT_EQ((ssize_t)size, pwrite(fd, bad, size, sysconf(_SC_PAGESIZE)));
	ASSERT_EQ(0, fsync(fd));
	EXPECT_EQ(-EIO, filesystem_check(fs, device));
	ASSERT_EQ((ssize_t)size, pwrite(fd, good, size, sysconf(_SC_PAGESIZE)));
	ASSERT_EQ(0, fsync(fd));
	close(fd);
	REQUIRE(return, testbed_mount_again(fs));
}

/* P8: a page stays busy, so unmounting does not end. */
TEST_F(harm, sees_an_unmount_that_does_not_end)
{
	struct dax_file *file = &self->trial.file;

	REQUIRE(return, trial_hold(&self->trial, 0));
	/* The waiter also has the file open. */
	ASSERT_TRUE(waiter_end(&self->trial.waiter));
	dax_file_let_go(file);
	EXPECT_EQ(-EIO, aftermath_check(variant->on.fs));
	EXPECT_NE(NULL, strstr(why(), "unmounting does not end")) {
		TH_LOG("%s", why());
	}
	REQUIRE(return, trial_release(&self->trial, 0));
	/* Now the child that was left behind can finish unmounting. */
	for (long deadline = deadline_in(DEADLINE_MS);
	     testbed_mount_again(variant->on.fs) && !deadline_over(deadline);)
		deadline_pause();
	unlink(file->path);
	ASSERT_EQ(0, aftermath_check(variant->on.fs)) {
		TH_LOG("%s", why());
	}
}

static void add_variants(void)
{
	VARIANTS_OF_FILESYSTEMS(harm, FS_PMEM);
}

DAX_BREAK_MAIN_UNCHECKED("the tests do harm on purpose", .variants = add_variants)
