// SPDX-License-Identifier: GPL-2.0
/*
 * The oracles for harm against harm that is done on purpose: data that is lost or
 * overwritten, things left behind, a kernel that complains.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dax_break.h"
#include "deadline.h"
#include "victim.h"
#include "written.h"

FIXTURE(harm) {
	struct trial trial;
	struct victim victim;
};

FIXTURE_VARIANT(harm) {
	const char *fs;
};

FIXTURE_VARIANT_ADD(harm, ext4) { "ext4" };
FIXTURE_VARIANT_ADD(harm, xfs) { "xfs" };

FIXTURE_SETUP(harm)
{
	const struct trial_spec spec = {
		.fs = variant->fs,
		.op = "punch",
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
	written_end();
	trial_end(&self->trial);
	quiet_check();
}

/* P9: as the kernel would say it. */
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

/* P5: the operation's blocks are the victim's, and something writes to one. */
TEST_F(harm, sees_an_overwritten_page)
{
	struct trial *trial = &self->trial;
	struct victim *victim = &self->victim;
	__u64 physical = dax_file_physical(&trial->file, 3);

	REQUIRE(return, victim_crowd(victim, variant->fs));
	trial_start(trial);
	ASSERT_COMPLETES(trial);
	REQUIRE(return, victim_take(victim));
	ASSERT_EQ(0, victim_check(victim));
	/* That it is the victim who has got the block is what makes it one. */
	ASSERT_NE(0ULL, physical);
	ASSERT_NE(-1, victim_page_at(victim, physical));
	ASSERT_EQ(1, pwrite(victim->file.fd, "x", 1, 2 * victim->file.page_size + 5));
	ASSERT_NE(0, victim_check(victim));
	ASSERT_NE(NULL, strstr(why(), "page 2 of another file"));
	ASSERT_NE(NULL, strstr(why(), "1 bytes, from byte 5"));
}

/* P5: stored, but never synced. */
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
	/* Those of the hole, and only these, need not be. */
	for (unsigned int page = 0; page < ARRAY_SIZE(written); page++)
		written[page] = page < 2 || page >= 6;
	ASSERT_EQ(0, trial_all_written(trial, written));
}

/* P5: a file that nobody knows of any more. */
TEST_F(harm, sees_a_file_left_behind)
{
	const struct dax_file_spec spec = { .dir = testbed_dir(variant->fs), .pages = 4 };
	struct dax_file left;

	trial_end(&self->trial);
	REQUIRE(return, dax_file_create(&left, &spec));
	dax_file_let_go(&left);
	ASSERT_NE(0, aftermath_check(variant->fs));
	ASSERT_NE(NULL, strstr(why(), "blocks are free"));
	unlink(left.path);
	ASSERT_EQ(0, aftermath_check(variant->fs)) {
		TH_LOG("%s", why());
	}
}

/* P5: damaged on the device. */
TEST_F(harm, sees_a_damaged_filesystem)
{
	const struct filesystem *fs = filesystem_find(variant->fs);
	size_t size = 2 * sysconf(_SC_PAGESIZE);
	char *good = malloc(size), *bad = calloc(1, size);
	const char *device = testbed_device(variant->fs);
	int fd;

	trial_end(&self->trial);
	REQUIRE(return, testbed_unmount(variant->fs));
	ASSERT_EQ(0, filesystem_check(fs, device)) {
		TH_LOG("%s", why());
	}
	fd = open(device, O_RDWR);
	/* Behind the superblock: what leads to all the rest. */
	ASSERT_EQ((ssize_t)size, pread(fd, good, size, sysconf(_SC_PAGESIZE)));
	ASSERT_EQ((ssize_t)size, pwrite(fd, bad, size, sysconf(_SC_PAGESIZE)));
	ASSERT_EQ(0, fsync(fd));
	EXPECT_EQ(-EIO, filesystem_check(fs, device));
	ASSERT_EQ((ssize_t)size, pwrite(fd, good, size, sysconf(_SC_PAGESIZE)));
	ASSERT_EQ(0, fsync(fd));
	close(fd);
	REQUIRE(return, testbed_mount_again(variant->fs));
}

/* P8: a page that stays busy. */
TEST_F(harm, sees_an_unmount_that_does_not_end)
{
	struct dax_file *file = &self->trial.file;

	REQUIRE(return, trial_hold(&self->trial, 0));
	/* The waiter has it open, too. */
	ASSERT_TRUE(waiter_end(&self->trial.waiter));
	dax_file_let_go(file);
	EXPECT_EQ(-EIO, aftermath_check(variant->fs));
	EXPECT_NE(NULL, strstr(why(), "unmounting does not end")) {
		TH_LOG("%s", why());
	}
	REQUIRE(return, trial_release(&self->trial, 0));
	/* The child that was left behind ends it now. */
	for (long deadline = deadline_in(DEADLINE_MS);
	     testbed_mount_again(variant->fs) && !deadline_over(deadline);)
		deadline_pause();
	unlink(file->path);
	ASSERT_EQ(0, aftermath_check(variant->fs)) {
		TH_LOG("%s", why());
	}
}

int main(int argc, char **argv)
{
	return dax_break_main(argc, argv);
}
