// SPDX-License-Identifier: GPL-2.0
/*
 * Consent, on a machine that has data of others on its persistent memory: a run uses what
 * it may use, works there, and leaves it as it was. Everything else it refuses, with a
 * reason, and does not touch. What DAX_BREAK_PMEM names:
 *
 *	nothing			all tests are skipped at once, and the reason says what to do
 *	a directory		it is used, by root and by a user who may do little
 *	carve			a namespace is made beside the neighbour's
 *	namespaces		they are used only if their UUIDs are right and they are empty
 */
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#include "dax_break.h"
#include "deadline.h"
#include "filesystem/make.h"
#include "machine.h"
#include "memory/pmem.h"
#include "memory/signature.h"

#define TEST_PROGRAM	"/bin/waits_test"
#define NOBODY		65534

static const char *const both[] = {
	TEST_PROGRAM, "-r", "waits.ext4_punch_vmsplice.two_pins_one_by_one",
	"-r", "waits.xfs_punch_vmsplice.two_pins_one_by_one", NULL,
};

FIXTURE(consent) {
	char *before;
};

FIXTURE_VARIANT(consent) {
	int dummy;
};

FIXTURE_VARIANT_ADD(consent, machine) {
};

FIXTURE_SETUP(consent)
{
	self->before = machine_state();
}

/* Whatever a test was about, the machine is as it was before. */
FIXTURE_TEARDOWN(consent)
{
	char *after = machine_state();

	EXPECT_STREQ(self->before, after);
	EXPECT_TRUE(machine_data_intact());
	free(after);
	free(self->before);
}

/* Control: one changed bit of their data, and one file that we leave, would be noticed. */
TEST_F(consent, changes_are_seen)
{
	int fd = open(machine_neighbour.device, O_RDWR | O_CLOEXEC);
	unsigned char byte;
	char *after;

	ASSERT_EQ(1, pread(fd, &byte, 1, 40000001));
	byte ^= 1;
	ASSERT_EQ(1, pwrite(fd, &byte, 1, 40000001));
	EXPECT_FALSE(machine_data_intact());
	byte ^= 1;
	ASSERT_EQ(1, pwrite(fd, &byte, 1, 40000001));
	close(fd);
	ASSERT_EQ(0, mkdir("/tmp/dax_break.left", 0700));
	after = machine_state();
	EXPECT_STRNE(self->before, after);
	ASSERT_EQ(0, rmdir("/tmp/dax_break.left"));
	free(after);
}

/* A run with @pmem named skips all its tests, and @reason is part of its output. */
static void expect_refused(struct __test_metadata *_metadata, const char *pmem,
			   const char *reason)
{
	EXPECT_EQ(KSFT_SKIP, machine_run(pmem, NULL, 0, both)) {
		TH_LOG("%s", machine_output());
	}
	EXPECT_TRUE(machine_said(reason)) {
		TH_LOG("%s", machine_output());
	}
}

static void expect_passed(struct __test_metadata *_metadata, int status, int passed)
{
	char totals[64];

	snprintf(totals, sizeof(totals), "# Totals: pass:%d fail:0", passed);
	EXPECT_EQ(KSFT_PASS, status);
	EXPECT_TRUE(machine_said(totals)) {
		TH_LOG("%s", machine_output());
	}
}

TEST_F(consent, nothing_named)
{
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	expect_refused(_metadata, NULL, "DAX_BREAK_PMEM=carve");
	clock_gettime(CLOCK_MONOTONIC, &end);
	EXPECT_LT(end.tv_sec * 1000 + end.tv_nsec / 1000000,
		  start.tv_sec * 1000 + start.tv_nsec / 1000000 + 1000);
}

TEST_F(consent, nonsense_named)
{
	static const char *const nonsense[] = {
		"everything", "namespace0.1", "namespace0.1=", "pmem0=1234", "relative/path", ",",
	};

	for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
		EXPECT_EQ(KSFT_FAIL, machine_run(nonsense[i], NULL, 0, both)) {
			TH_LOG("%s: %s", nonsense[i], machine_output());
		}
	}
}

TEST_F(consent, carved)
{
	expect_passed(_metadata, machine_run("carve", NULL, 0, both), 2);
}

TEST_F(consent, carving_takes_root)
{
	EXPECT_EQ(KSFT_SKIP, machine_run("carve", NULL, NOBODY, both));
	EXPECT_TRUE(machine_said("need root"));
}

TEST_F(consent, named)
{
	const char *named = machine_named(machine_empty, 2);

	expect_passed(_metadata, machine_run(named, NULL, 0, both), 2);
	/* They were left empty, so the same works once more. */
	expect_passed(_metadata, machine_run(named, NULL, 0, both), 2);
}

TEST_F(consent, named_for_one_filesystem)
{
	/* What has been unmounted is mounted again, but nothing has been. */
	static const char *const unmounts[] = {
		TEST_PROGRAM, "-r", "waits.xfs_umount_vmsplice.two_pins_one_by_one", NULL
	};
	const char *named = machine_named(machine_empty, 1);

	expect_passed(_metadata, machine_run(named, NULL, 0, both), 1);
	EXPECT_TRUE(machine_said("no xfs here"));
	EXPECT_NE(KSFT_FAIL, machine_run(named, NULL, 0, unmounts)) {
		TH_LOG("%s", machine_output());
	}
	EXPECT_TRUE(machine_said("no xfs here"));
}

TEST_F(consent, wrong_uuid)
{
	struct machine_namespace other = machine_empty[0];

	memcpy(other.uuid, machine_empty[1].uuid, sizeof(other.uuid));
	expect_refused(_metadata, machine_named(&other, 1), "does not have the UUID");
}

TEST_F(consent, holds_a_filesystem)
{
	expect_refused(_metadata, machine_named(&machine_neighbour, 1), "holds ext4");
}

TEST_F(consent, without_labels)
{
	struct machine_namespace stranger = machine_stranger;

	memcpy(stranger.uuid, machine_empty[0].uuid, sizeof(stranger.uuid));
	expect_refused(_metadata, machine_named(&stranger, 1), "does not have the UUID");
}

/* What else can be on a namespace: how the run calls it, and the bytes to know it by. */
static const struct other {
	const char *type;
	off_t offset;
	size_t len;
	unsigned char bytes[3072];
} others[] = {
	/* Version 1, 1024 pages, and the magic number at the end of the first page. */
	{ "holds swap", 1024, 3072,
	  { [0] = 1, [5] = 4, [3062] = 'S', 'W', 'A', 'P', 'S', 'P', 'A', 'C', 'E', '2' } },
	{ "holds crypto_LUKS", 0, 8, "LUKS\xba\xbe\x00\x01" },
	/* A partition of type 0x83: 4096 sectors, from sector 2048 on. */
	{ "holds dos", 446, 66, { [4] = 0x83, [9] = 8, [13] = 16, [64] = 0x55, [65] = 0xaa } },
	/* Metadata 1.2 of md, at sector 8. */
	{ "holds linux_raid_member", 4096, 152,
	  { 0xfc, 0x4e, 0x2b, 0xa9, 1, [144] = 8 } },
};

/* Puts @other on the first empty namespace, or takes it away. */
static void scribble(struct __test_metadata *_metadata, const struct other *other, bool on)
{
	static const unsigned char zeroes[sizeof(other->bytes)];
	int fd = open(machine_empty[0].device, O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)other->len,
		  pwrite(fd, on ? other->bytes : zeroes, other->len, other->offset));
	ASSERT_EQ(0, fsync(fd));
	close(fd);
}

TEST_F(consent, holds_something_else)
{
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		scribble(_metadata, &others[i], true);
		expect_refused(_metadata, machine_named(machine_empty, 1), others[i].type);
		scribble(_metadata, &others[i], false);
	}
}

TEST_F(consent, mounted)
{
	const char *device = machine_empty[0].device;
	char uuid[40];
	int fd;

	ASSERT_EQ(0, filesystem_format(filesystem_find("ext4"), device));
	ASSERT_EQ(0, mount(device, "/mnt", "ext4", 0, NULL));
	expect_refused(_metadata, machine_named(machine_empty, 1), "is in use");
	ASSERT_EQ(0, umount("/mnt"));
	expect_refused(_metadata, machine_named(machine_empty, 1), "holds ext4");
	fd = open(device, O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, signature_uuid(fd, uuid, sizeof(uuid)));
	close(fd);
	ASSERT_EQ(0, signature_wipe(device, uuid));
}

TEST_F(consent, in_use)
{
	int fd = open(machine_empty[0].device, O_RDWR | O_EXCL | O_CLOEXEC);

	ASSERT_LE(0, fd);
	expect_refused(_metadata, machine_named(machine_empty, 1), "is in use");
	close(fd);
}

TEST_F(consent, inactive)
{
	char pfn[32];

	/* /dev/pmem0.1 is driven by a device pfn0.N: finds it by trying. */
	for (int i = 0; i < 8; i++) {
		char path[256];

		snprintf(pfn, sizeof(pfn), "pfn0.%d", i);
		snprintf(path, sizeof(path), "/sys/bus/nd/devices/%s/block/%s", pfn,
			 machine_empty[0].device + 5);
		if (!access(path, F_OK))
			break;
	}
	machine_write("/sys/bus/nd/drivers/nd_pmem/unbind", pfn);
	EXPECT_NE(0, access(machine_empty[0].device, F_OK));
	expect_refused(_metadata, machine_named(machine_empty, 1), "is not");
	machine_write("/sys/bus/nd/drivers/nd_pmem/bind", pfn);
	EXPECT_EQ(0, access(machine_empty[0].device, F_OK));
}

/* The last of these tests: only a write to the whole device makes the kernel forget them. */
TEST_F(consent, known_bad_blocks)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/block/%s/badblocks", machine_empty[1].device + 5);
	machine_write(path, "4096 8");
	expect_refused(_metadata, machine_named(&machine_empty[1], 1), "known bad blocks");
}

/* The administrator has mounted a DAX filesystem; a user has a directory in it. */
FIXTURE(directory) {
	char uuid[40];
	char device[32];
};

FIXTURE_VARIANT(directory) {
	struct fs_op on;
};

FIXTURE_SETUP(directory)
{
	const struct filesystem *fs = variant->on.fs;

	snprintf(self->uuid, sizeof(self->uuid), "99999999-2222-4333-8444-555555555555");
	ASSERT_EQ(0, pmem_carve(fs->namespace_size, self->uuid, self->device,
				sizeof(self->device)));
	ASSERT_EQ(0, filesystem_format(fs, self->device));
	mkdir("/mnt/dax", 0755);
	ASSERT_EQ(0, filesystem_mount(fs, self->device, "/mnt/dax"));
	mkdir("/mnt/dax/theirs", 0755);
	mkdir("/mnt/dax/theirs/data", 0755);
	ASSERT_EQ(0, chown("/mnt/dax/theirs", NOBODY, NOBODY));
	mkdir("/run/home", 0755);
	ASSERT_EQ(0, chown("/run/home", NOBODY, NOBODY));
}

FIXTURE_TEARDOWN(directory)
{
	/* This fails if a run has left something there. */
	EXPECT_EQ(0, rmdir("/mnt/dax/theirs/data"));
	EXPECT_EQ(0, rmdir("/mnt/dax/theirs"));
	EXPECT_EQ(0, umount("/mnt/dax"));
	EXPECT_EQ(0, pmem_destroy(self->uuid, DEADLINE_MS));
	rmdir("/mnt/dax");
}

/* The user's directory is used, but not to unmount it; and FUSE holders take root. */
static void expect_directory_used(struct __test_metadata *_metadata, const char *fs, uid_t uid)
{
	char punch[64], umount_it[64], fuse[64];
	const char *const argv[] = {
		TEST_PROGRAM, "-r", punch, "-r", fuse, "-r", umount_it, NULL,
	};

	snprintf(punch, sizeof(punch), "waits.%s_punch_vmsplice.two_pins_one_by_one", fs);
	snprintf(fuse, sizeof(fuse), "waits.%s_punch_fuse_read.two_pins_one_by_one", fs);
	snprintf(umount_it, sizeof(umount_it), "waits.%s_umount_vmsplice.two_pins_one_by_one", fs);
	expect_passed(_metadata, machine_run("/mnt/dax/theirs", NULL, uid, argv), uid ? 1 : 2);
	EXPECT_TRUE(machine_said("somebody else has mounted this"));
}

TEST_F(directory, by_root)
{
	expect_directory_used(_metadata, variant->on.fs->name, 0);
}

TEST_F(directory, by_a_user)
{
	expect_directory_used(_metadata, variant->on.fs->name, NOBODY);
}

TEST_F(directory, is_proposed)
{
	EXPECT_EQ(KSFT_SKIP, machine_run(NULL, NULL, 0, both));
	EXPECT_TRUE(machine_said("DAX_BREAK_PMEM=/mnt/dax")) {
		TH_LOG("%s", machine_output());
	}
}

TEST_F(directory, is_not_theirs)
{
	EXPECT_EQ(KSFT_FAIL, machine_run("/mnt/dax", NULL, NOBODY, both));
	EXPECT_TRUE(machine_said("cannot create /mnt/dax/dax_break."));
}

TEST_F(directory, is_not_dax)
{
	EXPECT_NE(KSFT_PASS, machine_run("/run", NULL, 0, both));
	EXPECT_TRUE(machine_said("is not on a filesystem that is tested here"));
}

int main(int argc, char **argv)
{
	VARIANTS_OF_FILESYSTEMS(directory, FS_PMEM);
	setvbuf(stdout, NULL, _IOLBF, 0);
	machine_setup();
	return test_harness_run(argc, argv);
}
