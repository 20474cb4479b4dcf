// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../../tools/testing/selftests/dax_break/virtiofs/vhost_user.h"
#include "../../tools/testing/selftests/dax_break/virtiofs/window.h"
#include "guest.h"

char *window;

void store(char *at, const char *text)
{
	memcpy(at, text, strlen(text) + 1);
}

/* What is mapped. This maps and unmaps just as strictly as QEMU does. */
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

int ask(struct asking *asking, __u32 opcode, __u64 node, const void *in, size_t in_len,
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
	asking->hold = r.hold;
	return rc;
}

int ask_name(struct asking *asking, __u32 opcode, const char *name)
{
	return ask(asking, opcode, FUSE_ROOT_ID, name, strlen(name) + 1, "", 0);
}

int ask_lookup(struct asking *asking, const char *name, __u64 *node)
{
	int rc = ask_name(asking, FUSE_LOOKUP, name);

	*node = ((struct fuse_entry_out *)asking->reply)->nodeid;
	return rc;
}

int ask_create(struct asking *asking, const char *name, __u64 *node)
{
	const struct fuse_create_in in = { .mode = 0600 };
	int rc = ask(asking, FUSE_CREATE, FUSE_ROOT_ID, &in, sizeof(in), name, strlen(name) + 1);

	*node = ((struct fuse_entry_out *)asking->reply)->nodeid;
	return rc;
}

int ask_write(struct asking *asking, __u64 node, __u64 at, const char *text)
{
	const struct fuse_write_in in = { .offset = at, .size = strlen(text) };

	return ask(asking, FUSE_WRITE, node, &in, sizeof(in), text, in.size);
}

const char *ask_read(struct asking *asking, __u64 node, __u64 at, size_t len)
{
	const struct fuse_read_in in = { .offset = at, .size = len };

	if (ASK(FUSE_READ, node, in))
		return "(fails)";
	asking->reply[asking->len] = '\0';
	return asking->reply;
}

int ask_resize(struct asking *asking, __u64 size)
{
	const struct fuse_setattr_in in = { .valid = FATTR_SIZE, .size = size };

	return ASK(FUSE_SETATTR, asking->node, in);
}

int ask_map(struct asking *asking, __u64 node, unsigned int range)
{
	const struct fuse_setupmapping_in in = { .len = RANGE_SIZE, .moffset = range * RANGE_SIZE };

	return ASK(FUSE_SETUPMAPPING, node, in);
}

int ask_unmap(struct asking *asking, unsigned int range)
{
	const struct {
		struct fuse_removemapping_in in;
		struct fuse_removemapping_one one;
	} in = { { 1 }, { range * RANGE_SIZE, RANGE_SIZE } };

	return ASK(FUSE_REMOVEMAPPING, asking->node, in);
}

int ask_release(struct asking *asking, __u64 node)
{
	const struct fuse_release_in in = { 0 };

	return ASK(FUSE_RELEASE, node, in);
}

__u64 ask_free_blocks(struct asking *asking)
{
	return ask(asking, FUSE_STATFS, FUSE_ROOT_ID, "", 0, "", 0) ? 0 :
	       ((struct fuse_statfs_out *)asking->reply)->st.bfree;
}

int ask_order(struct asking *asking, const char *text)
{
	const struct fuse_open_in in = { .flags = O_RDWR };
	__u64 control;

	return ask_lookup(asking, ".control", &control) ?:
	       ASK(FUSE_OPEN, control, in) ?:
	       ask_write(asking, control, 0, text);
}

int ask_end_orders(struct asking *asking)
{
	__u64 control;

	return ask_lookup(asking, ".control", &control) ?: ask_release(asking, control);
}
