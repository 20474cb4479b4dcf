// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "log.h"
#include "memory.h"
#include "shmem.h"
#include "vhost_user.h"

/* How long QEMU gets to answer. */
#define ANSWER_MS	10000
#define MAX_FDS		16
#define MAX_SLOTS	509

enum message {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	GET_QUEUE_NUM = 17,
	SET_BACKEND_REQ_FD = 21,
	GET_CONFIG = 24,
	GET_MAX_MEM_SLOTS = 36,
	ADD_MEM_REG = 37,
	REM_MEM_REG = 38,
	GET_SHMEM_CONFIG = 44,
};

/* From us to QEMU. */
enum request {
	SHARED_OBJECT_LOOKUP = 8,
	SHMEM_MAP = 9,
	SHMEM_UNMAP = 10,
};

#define VERSION		1
#define REPLY		4
#define NEED_REPLY	8

/* The last one says that there are protocol features. */
static const __u64 features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_INDIRECT_DESC |
			      1ULL << 30;

enum {
	MQ = 1 << 0,
	REPLY_ACK = 1 << 3,
	BACKEND_REQ = 1 << 5,
	CONFIG = 1 << 9,
	BACKEND_SEND_FD = 1 << 10,
	CONFIGURE_MEM_SLOTS = 1 << 15,
	SHMEM = 1 << 22,
	PROTOCOL_FEATURES = MQ | REPLY_ACK | BACKEND_REQ | CONFIG | BACKEND_SEND_FD |
			    CONFIGURE_MEM_SLOTS | SHMEM,
};

#define SHMEM_WRITABLE	1

struct header {
	__u32 message, flags, size;
};

union payload {
	__u64 number;
	struct {
		__u32 queue, number;
	} state;
	struct {
		__u32 queue, flags;
		__u64 desc, used, avail, log;
	} rings;
	struct {
		__u32 count, pad;
		struct memory_region regions[MAX_FDS];
	} table;
	struct {
		__u64 pad;
		struct memory_region region;
	} region;
	struct {
		__u32 offset, size, flags;
		char data[256];
	} config;
	struct {
		__u32 count, pad;
		__u64 sizes[256];
	} windows;
	struct {
		__u8 window, pad[7];
		__u64 fd_offset, at, len, flags;
	} mapping;
	__u8 uuid[16];
};

/* struct virtio_fs_config, as older headers have it. */
struct fs_config {
	char tag[36];
	__u32 request_queues;
};

struct vhost vhost = {
	.socket = -1,
	.queues = { [0 ... VHOST_QUEUES - 1] = { .kick = -1, .call = -1 } },
};

static int backend = -1;	/* the socket of our requests */

static bool read_all(int fd, void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		if (!n || (n < 0 && errno != EINTR))
			return false;
		done += n > 0 ? n : 0;
	}
	return true;
}

/* With the descriptors that come along: they are the caller's. */
static bool receive(int fd, struct header *header, union payload *payload, int *fds,
		    unsigned int *nr_fds)
{
	char control[CMSG_SPACE(MAX_FDS * sizeof(int))];
	struct iovec iov = { header, sizeof(*header) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;

	if (recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_WAITALL) != sizeof(*header) ||
	    header->size > sizeof(*payload))
		return false;
	*nr_fds = 0;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS) {
		*nr_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), *nr_fds * sizeof(int));
	}
	memset(payload, 0, sizeof(*payload));
	return read_all(fd, payload, header->size);
}

static bool send_message(int socket, __u32 message, __u32 flags, const void *payload, size_t size,
			 int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct header header = { message, VERSION | flags, size };
	struct iovec iov[] = { { &header, sizeof(header) }, { (void *)payload, size } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	if (fd >= 0) {
		struct cmsghdr *c;

		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(socket, &msg, MSG_NOSIGNAL) == (ssize_t)(sizeof(header) + size);
}

/* Takes the descriptor of an eventfd, or -1 for none. */
static void set_eventfd(int *to, __u64 number, int *fds, unsigned int *nr_fds)
{
	bool none = number & 0x100;

	if (*to >= 0)
		close(*to);
	*to = none || !*nr_fds ? -1 : fds[--*nr_fds];
}

static size_t get_config(union payload *payload)
{
	char all[sizeof(payload->config.data)] = { 0 };
	struct fs_config config = { .request_queues = VHOST_QUEUES - 1 };
	size_t size = payload->config.size, offset = payload->config.offset;

	memcpy(config.tag, vhost.tag, strnlen(vhost.tag, sizeof(config.tag)));
	memcpy(all, &config, sizeof(config));
	if (size > sizeof(all) || offset > sizeof(all) - size)
		return 0;
	memcpy(payload->config.data, all + offset, size);
	return sizeof(payload->config) - sizeof(payload->config.data) + size;
}

/* What has to do with one queue. Returns the size of the reply, 0: there is none. */
static size_t do_queue(__u32 message, union payload *payload, int *fds, unsigned int *nr_fds)
{
	unsigned int i = payload->state.queue & 0xff;
	struct virtqueue *queue = &vhost.queues[i];

	if (i >= VHOST_QUEUES)
		return 0;
	switch (message) {
	case SET_VRING_NUM:
		queue->size = payload->state.number;
		break;
	case SET_VRING_BASE:
		queue->next = payload->state.number;
		break;
	case GET_VRING_BASE:
		/* This stops the queue, too. */
		payload->state.number = queue->next;
		set_eventfd(&queue->kick, 0x100, fds, nr_fds);
		return sizeof(payload->state);
	case SET_VRING_ADDR:
		queue->desc = payload->rings.desc;
		queue->avail = payload->rings.avail;
		queue->used = payload->rings.used;
		break;
	case SET_VRING_KICK:
		set_eventfd(&queue->kick, payload->number, fds, nr_fds);
		break;
	case SET_VRING_CALL:
		set_eventfd(&queue->call, payload->number, fds, nr_fds);
		break;
	}
	return 0;
}

/* Returns the size of the reply, 0: there is none. */
static size_t do_message(__u32 message, union payload *payload, int *fds, unsigned int *nr_fds)
{
	switch (message) {
	case GET_FEATURES:
		payload->number = features;
		return sizeof(payload->number);
	case GET_PROTOCOL_FEATURES:
		payload->number = PROTOCOL_FEATURES;
		return sizeof(payload->number);
	case GET_QUEUE_NUM:
		payload->number = VHOST_QUEUES;
		return sizeof(payload->number);
	case GET_MAX_MEM_SLOTS:
		payload->number = MAX_SLOTS;
		return sizeof(payload->number);
	case GET_SHMEM_CONFIG:
		memset(payload, 0, sizeof(*payload));
		payload->windows.count = 1;
		payload->windows.sizes[0] = vhost.window_size;
		return sizeof(payload->windows);
	case GET_CONFIG:
		return get_config(payload);
	case SET_MEM_TABLE:
		memory_remove_all();
		for (unsigned int i = 0; i < payload->table.count && i < *nr_fds; i++)
			memory_add(&payload->table.regions[i], fds[i]);
		return 0;
	case ADD_MEM_REG:
		if (*nr_fds)
			memory_add(&payload->region.region, fds[0]);
		return 0;
	case REM_MEM_REG:
		memory_remove(&payload->region.region);
		return 0;
	case SET_BACKEND_REQ_FD:
		if (backend >= 0)
			close(backend);
		backend = *nr_fds ? fds[--*nr_fds] : -1;
		return 0;
	default:
		return do_queue(message, payload, fds, nr_fds);
	}
}

bool vhost_serve(void)
{
	struct header header;
	union payload payload;
	int fds[MAX_FDS];
	unsigned int nr_fds;
	__u64 success = 0;
	size_t size;

	if (!receive(vhost.socket, &header, &payload, fds, &nr_fds))
		return false;
	size = do_message(header.message, &payload, fds, &nr_fds);
	while (nr_fds)
		close(fds[--nr_fds]);
	if (size)
		return send_message(vhost.socket, header.message, REPLY, &payload, size, -1);
	if (header.flags & NEED_REPLY)
		return send_message(vhost.socket, header.message, REPLY, &success, sizeof(success),
				    -1);
	return true;
}

/* QEMU answers when it has done it; meanwhile it has questions of its own. */
static int ask(enum request request, const void *payload, size_t size, int fd)
{
	struct pollfd polled[] = {
		{ .fd = backend, .events = POLLIN },
		{ .fd = vhost.socket, .events = POLLIN },
	};
	struct header header;
	union payload answer;
	int fds[MAX_FDS];
	unsigned int nr_fds;

	if (backend < 0)
		return -ENODEV;
	if (!send_message(backend, request, NEED_REPLY, payload, size, fd))
		return -EIO;
	while (!(polled[0].revents & POLLIN)) {
		if (poll(polled, 2, ANSWER_MS) <= 0)
			die("QEMU does not answer");
		if (polled[1].revents && !vhost_serve())
			die("QEMU is gone");
	}
	if (!receive(backend, &header, &answer, fds, &nr_fds))
		return -EIO;
	while (nr_fds)
		close(fds[--nr_fds]);
	return answer.number ? -EIO : 0;
}

/*
 * QEMU answers a request to map before the guest sees the memory. It has got that far
 * when it answers the next one: whether there is an object that nobody ever shared.
 */
static void barrier(void)
{
	static const __u8 uuid[16] = { 0xda };

	ask(SHARED_OBJECT_LOOKUP, uuid, sizeof(uuid), -1);
}

int shmem_map(int fd, __u64 offset, __u64 at, __u64 len)
{
	union payload payload = { .mapping = { .fd_offset = offset, .at = at, .len = len,
					       .flags = SHMEM_WRITABLE } };
	int rc = ask(SHMEM_MAP, &payload, sizeof(payload.mapping), fd);

	barrier();
	return rc;
}

int shmem_unmap(__u64 at, __u64 len)
{
	union payload payload = { .mapping = { .at = at, .len = len } };
	int rc = ask(SHMEM_UNMAP, &payload, sizeof(payload.mapping), -1);

	barrier();
	return rc;
}
