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
#include "vhost_user.h"

/* How long QEMU may take to answer. */
#define ANSWER_MS	10000
/* Descriptors that come with a message. */
#define MAX_FDS		16
/* Regions of memory: as many as libvhost-user of QEMU takes. */
#define MAX_SLOTS	509

/* The messages of QEMU that need something to be done: VHOST_USER_ in the specification. */
enum {
	GET_FEATURES = 1,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	GET_PROTOCOL_FEATURES = 15,
	GET_QUEUE_NUM = 17,
	SET_BACKEND_REQ_FD = 21,
	GET_CONFIG = 24,
	GET_MAX_MEM_SLOTS = 36,
	ADD_MEM_REG = 37,
	REM_MEM_REG = 38,
	GET_SHMEM_CONFIG = 44,
};

/* From the server to QEMU: VHOST_USER_BACKEND_ */
enum {
	SHARED_OBJECT_LOOKUP = 8,
	SHMEM_MAP = 9,
	SHMEM_UNMAP = 10,
};

/* Flags of a message. */
#define VERSION		1
#define REPLY		4
#define NEED_REPLY	8

/* Bit 30 is VHOST_USER_F_PROTOCOL_FEATURES: there are those below, too. */
static const __u64 features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_INDIRECT_DESC |
			      1ULL << 30;

/* VHOST_USER_PROTOCOL_F_ */
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

/* VHOST_USER_FLAG_MAP_RW */
#define SHMEM_WRITABLE	1

struct header {
	__u32 type, flags, size;
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

struct message {
	struct header header;
	union payload payload;
	int fds[MAX_FDS];		/* descriptors that came along */
	unsigned int nr_fds;
};

/* struct virtio_fs_config of <linux/virtio_fs.h> */
struct fs_config {
	char tag[36];
	__u32 request_queues;
};

struct vhost vhost = {
	.socket = -1,
	.queues = { [0 ... VHOST_QUEUES - 1] = { .kick = -1, .call = -1 } },
};

static int backend = -1;	/* the socket for requests of the server to QEMU */

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

/* The caller closes the descriptors. */
static bool receive(int socket, struct message *m)
{
	char control[CMSG_SPACE(MAX_FDS * sizeof(int))];
	struct iovec iov = { &m->header, sizeof(m->header) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;

	memset(m, 0, sizeof(*m));
	if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC | MSG_WAITALL) != sizeof(m->header) ||
	    m->header.size > sizeof(m->payload))
		return false;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS) {
		m->nr_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(m->fds, CMSG_DATA(c), m->nr_fds * sizeof(int));
	}
	return read_all(socket, &m->payload, m->header.size);
}

/* Sends a message, along with a descriptor unless @fd is -1. */
static bool send_message(int socket, __u32 type, __u32 flags, const void *payload, size_t size,
			 int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct header header = { type, VERSION | flags, size };
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

/* The descriptor that came along becomes *@to. Without one *@to is closed all the same. */
static void set_fd(int *to, struct message *m)
{
	if (*to >= 0)
		close(*to);
	*to = m->nr_fds ? m->fds[--m->nr_fds] : -1;
}

static void close_fds(struct message *m)
{
	while (m->nr_fds)
		close(m->fds[--m->nr_fds]);
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

/*
 * These carry a message out and put the reply in place of its payload. They return the
 * size of the reply, 0 if there is none.
 */
static size_t do_queue(struct message *m)
{
	union payload *payload = &m->payload;
	unsigned int i = payload->state.queue & 0xff;
	struct virtqueue *queue = &vhost.queues[i];

	if (i >= VHOST_QUEUES)
		return 0;
	switch (m->header.type) {
	case SET_VRING_NUM:
		queue->size = payload->state.number;
		break;
	case SET_VRING_BASE:
		queue->next = payload->state.number;
		break;
	case GET_VRING_BASE:
		/* That stops the queue. */
		payload->state.number = queue->next;
		set_fd(&queue->kick, m);
		return sizeof(payload->state);
	case SET_VRING_ADDR:
		queue->desc = payload->rings.desc;
		queue->avail = payload->rings.avail;
		queue->used = payload->rings.used;
		break;
	case SET_VRING_KICK:
		set_fd(&queue->kick, m);
		break;
	case SET_VRING_CALL:
		set_fd(&queue->call, m);
		break;
	}
	return 0;
}

static size_t do_memory(struct message *m)
{
	switch (m->header.type) {
	case SET_MEM_TABLE:
		memory_remove_all();
		for (unsigned int i = 0; i < m->payload.table.count && i < m->nr_fds; i++)
			memory_add(&m->payload.table.regions[i], m->fds[i]);
		return 0;
	case ADD_MEM_REG:
		if (m->nr_fds)
			memory_add(&m->payload.region.region, m->fds[0]);
		return 0;
	case REM_MEM_REG:
		memory_remove(&m->payload.region.region);
		return 0;
	default:
		return do_queue(m);
	}
}

static size_t do_message(struct message *m)
{
	union payload *payload = &m->payload;

	switch (m->header.type) {
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
	case SET_BACKEND_REQ_FD:
		set_fd(&backend, m);
		return 0;
	default:
		return do_memory(m);
	}
}

bool vhost_serve(void)
{
	struct message m;
	size_t size;

	if (!receive(vhost.socket, &m))
		return false;
	size = do_message(&m);
	close_fds(&m);
	if (!size && m.header.flags & NEED_REPLY) {
		m.payload.number = 0;
		size = sizeof(m.payload.number);
	}
	return !size || send_message(vhost.socket, m.header.type, REPLY, &m.payload, size, -1);
}

/*
 * Has QEMU carry out a request: 0 or a negative errno. Until QEMU answers, it sends
 * messages of its own, which must be served.
 */
static int ask(__u32 request, const void *payload, size_t size, int fd)
{
	struct pollfd polled[] = {
		{ .fd = backend, .events = POLLIN },
		{ .fd = vhost.socket, .events = POLLIN },
	};
	struct message answer;

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
	if (!receive(backend, &answer))
		return -EIO;
	close_fds(&answer);
	return answer.payload.number ? -EIO : 0;
}

/* Returns once the guest sees the change. */
static int change_window(__u32 request, const union payload *payload, int fd)
{
	static const __u8 uuid[16] = { 0xda };
	int rc = ask(request, payload, sizeof(payload->mapping), fd);

	/*
	 * QEMU answers a request to map before the guest sees the change, but it does not
	 * answer the next request earlier than that. This one is harmless: it asks for an
	 * object that nobody has shared.
	 */
	ask(SHARED_OBJECT_LOOKUP, uuid, sizeof(uuid), -1);
	return rc;
}

int shmem_map(int fd, __u64 offset, __u64 at, __u64 len)
{
	const union payload payload = { .mapping = { .fd_offset = offset, .at = at, .len = len,
						     .flags = SHMEM_WRITABLE } };

	return change_window(SHMEM_MAP, &payload, fd);
}

int shmem_unmap(__u64 at, __u64 len)
{
	const union payload payload = { .mapping = { .at = at, .len = len } };

	return change_window(SHMEM_UNMAP, &payload, -1);
}
