// SPDX-License-Identifier: GPL-2.0
/*
 * The gate's server: a process with one thread and one io_uring, on which all
 * arrives that can happen to it: requests of the device, ends of control commands,
 * messages of the test, death of the test.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate/internal.h"
#include "why.h"

/* How often to look whether the user is dying; see gate_user_doomed(). */
#define USER_CHECK_MS	250

#define NO_SLOT		GATE_SLOTS

struct io_uring_sqe *gate_sqe(struct gate_server *s, enum gate_event event, unsigned int number)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);

	/* Cannot happen: the ring has room for all, and nothing is left unsubmitted. */
	if (!sqe)
		abort();
	memset(sqe, 0, 2 * sizeof(*sqe));
	sqe->user_data = (__u64)event << 32 | number;
	return sqe;
}

static void reply(struct gate_server *s, unsigned int number, int error)
{
	struct gate_reply reply = {
		.number = number,
		.error = error,
		.device = s->info.dev_id,
	};

	if (error)
		snprintf(reply.why, sizeof(reply.why), "%s", why());
	/* A test that does not listen any more is found out in other ways. */
	send(s->sock, &reply, sizeof(reply), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void receive(struct gate_server *s)
{
	struct io_uring_sqe *sqe = gate_sqe(s, EVENT_MESSAGE, 0);

	sqe->opcode = IORING_OP_RECV;
	sqe->fd = s->sock;
	sqe->addr = (uintptr_t)&s->message;
	sqe->len = sizeof(s->message);
}

void gate_fetch(struct gate_server *s, struct gate_tag *t, unsigned int op, int result)
{
	struct io_uring_sqe *sqe = gate_sqe(s, EVENT_REQUEST, t - s->tags);
	struct ublksrv_io_cmd *cmd = (struct ublksrv_io_cmd *)sqe->cmd;

	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = s->queues;
	sqe->cmd_op = gate_opcode(s, op);
	cmd->q_id = t->queue;
	cmd->tag = t->tag;
	cmd->result = result;
	/* With zero copy a request has no memory of ours. */
	cmd->addr = s->mode == GATE_COPY ? (uintptr_t)t->buffer : 0;
	t->state = TAG_FETCHING;
}

void gate_commit(struct gate_server *s, struct gate_tag *t, int result)
{
	gate_fetch(s, t, UBLK_U_IO_COMMIT_AND_FETCH_REQ, result);
	/* The driver copies the data and ends the request before this returns. */
	io_uring_submit(&s->ring);
}

int gate_complete(struct gate_server *s, struct gate_tag *t, int error)
{
	size_t bytes = (size_t)t->request->nr_sectors << SECTOR_SHIFT;
	int rc = 0;

	if (ublksrv_get_op(t->request) == UBLK_IO_OP_READ && !error)
		memset(t->buffer, t->slot == NO_SLOT ? 0 : gate_pattern(t->slot), bytes);
	if (s->mode != GATE_COPY) {
		if (!error)
			rc = gate_zero_copy_move(s, t, bytes);
		rc = gate_zero_copy_drop(s, t) ?: rc;
	}
	if (!error)
		error = rc;
	if (t->committed)
		t->state = TAG_FETCHING;
	else
		gate_commit(s, t, error ? error : (int)bytes);
	t->committed = false;
	return rc;
}

static unsigned int slot_at(__u64 offset)
{
	__u64 stride = gate_slot_stride();

	if (offset < GATE_FIRST_SLOT || offset >= GATE_FIRST_SLOT + GATE_SLOTS * stride)
		return NO_SLOT;
	offset -= GATE_FIRST_SLOT;
	return offset % stride < gate_slot_bytes() ? offset / stride : NO_SLOT;
}

/* Of the requests held in @slot the one that arrived first, or NULL. */
static struct gate_tag *held(struct gate_server *s, unsigned int slot)
{
	struct gate_tag *found = NULL;
	struct gate_tag *t;

	for (t = s->tags; t < s->tags + GATE_TAGS; t++)
		if (t->state == TAG_HELD && t->slot == slot &&
		    (!found || t->arrival < found->arrival))
			found = t;
	return found;
}

static void answer_wait(struct gate_server *s)
{
	struct gate_tag *t = s->waiting ? held(s, s->wait.slot) : NULL;
	int err = 0;

	if (!t)
		return;
	if (s->mode != GATE_COPY && !t->ring)
		err = gate_zero_copy_hold(s, t);
	s->waiting = false;
	reply(s, s->wait.number, err);
}

static void on_request(struct gate_server *s, struct gate_tag *t, int result)
{
	if (result != UBLK_IO_RES_OK) {
		/* ABORT: the device is stopped, there is nothing left to fetch. */
		if (result != UBLK_IO_RES_ABORT)
			fprintf(stderr, "# gate: the kernel refuses a command for tag %u/%u: %s\n",
				t->queue, t->tag, strerror(-result));
		t->state = TAG_UNUSED;
		return;
	}

	t->slot = slot_at(t->request->start_sector << SECTOR_SHIFT);
	if (t->slot == NO_SLOT) {
		gate_complete(s, t, 0);
	} else if (s->stopping || !s->user) {
		gate_complete(s, t, -EIO);
	} else {
		t->state = TAG_HELD;
		t->arrival = s->arrivals++;
		answer_wait(s);
	}
}

void gate_abandon(struct gate_server *s)
{
	s->user = 0;
	s->waiting = false;
	for (struct gate_tag *t = s->tags; t < s->tags + GATE_TAGS; t++)
		if (t->state == TAG_HELD)
			gate_complete(s, t, -EIO);
}

/* The test that sends @message is the user from now on. */
static void serve_user(struct gate_server *s, const struct gate_message *message)
{
	gate_abandon(s);
	s->user = message->user;
	s->mode = message->mode;
}

static void on_message(struct gate_server *s, int result)
{
	const struct gate_message *message = &s->message;
	struct gate_tag *t;

	if (result != sizeof(*message)) {
		s->stopping = true;
		return;
	}

	switch (message->request) {
	case GATE_START:
		serve_user(s, message);
		reply(s, message->number, 0);
		break;
	case GATE_LEAVE:
		gate_abandon(s);
		reply(s, message->number, 0);
		break;
	case GATE_WAIT:
		s->wait = *message;
		s->waiting = true;
		answer_wait(s);
		break;
	case GATE_RELEASE:
		t = held(s, message->slot);
		if (!t) {
			reply(s, message->number,
			      why_set(ENOENT, "gate: nothing is held in slot %u", message->slot));
			break;
		}
		reply(s, message->number, gate_complete(s, t, 0));
		break;
	case GATE_CLOSE:
		s->stopping = true;
		s->closing = true;
		s->close_number = message->number;
		break;
	}
	receive(s);
}

/* Handles what has happened; if nothing has, waits for it, @ms at most. */
void gate_pump(struct gate_server *s, int ms)
{
	struct __kernel_timespec ts;
	struct io_uring_cqe *cqe;
	__u64 data;
	int result;

	if (ms > USER_CHECK_MS)
		ms = USER_CHECK_MS;
	ts.tv_sec = 0;
	ts.tv_nsec = ms * 1000000L;

	io_uring_submit(&s->ring);
	if (!io_uring_wait_cqe_timeout(&s->ring, &cqe, &ts)) {
		while (!io_uring_peek_cqe(&s->ring, &cqe)) {
			data = cqe->user_data;
			result = cqe->res;
			io_uring_cqe_seen(&s->ring, cqe);

			switch (data >> 32) {
			case EVENT_REQUEST:
				on_request(s, &s->tags[(unsigned int)data], result);
				break;
			case EVENT_COMMAND:
				if ((unsigned int)data != s->command)
					break;
				s->command_done = true;
				s->command_result = result;
				break;
			case EVENT_MESSAGE:
				on_message(s, result);
				break;
			case EVENT_SIGNAL:
				s->stopping = true;
				break;
			}
		}
	}

	if (!s->stopping && deadline_over(s->user_check)) {
		s->stopping = getppid() != s->opener;
		if (s->user && gate_user_doomed(s->user))
			gate_abandon(s);
		s->user_check = deadline_in(USER_CHECK_MS);
	}
}

/*
 * Lets go of everything inherited that would tie the test's fate to ours: its
 * files, its working directory (on a filesystem to be unmounted), its process
 * group (killed as a whole when the test takes too long). Stderr stays.
 */
static int detach(struct gate_server *s)
{
	sigset_t all, term;
	int null;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "dax_break_gate");
	if (chdir("/"))
		return why_set(errno, "gate: chdir /: %m");

	s->sock = fcntl(s->sock, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (s->sock < 0)
		return why_set(errno, "gate: dup: %m");
	if (s->sock > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, s->sock - 1, 0);
	close_range(s->sock + 1, ~0U, 0);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);

	/*
	 * End of file on the socket does not tell the opener's death for sure: its
	 * children have inherited the other end.
	 */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	s->signals = signalfd(-1, &term, SFD_CLOEXEC);
	if (s->signals < 0)
		return why_set(errno, "gate: signalfd: %m");
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	s->user_check = deadline_in(0);
	return 0;
}

/*
 * Waits to be needed: false if that is not to be. Nothing else can happen to the
 * server until then, and nothing that anybody's death could wait for.
 */
static bool await_start(struct gate_server *s)
{
	struct pollfd fds[] = {
		{ .fd = s->sock, .events = POLLIN },
		{ .fd = s->signals, .events = POLLIN },
	};

	if (poll(fds, ARRAY_SIZE(fds), -1) < 0 || fds[1].revents ||
	    recv(s->sock, &s->message, sizeof(s->message), 0) != sizeof(s->message))
		return false;
	if (s->message.request == GATE_START)
		return true;
	reply(s, s->message.number, 0);
	return false;
}

static int make_ring(struct gate_server *s)
{
	struct io_uring_sqe *sqe;
	int err;

	err = io_uring_queue_init(GATE_TAGS + 16, &s->ring, IORING_SETUP_SQE128);
	if (err)
		return why_set(EOPNOTSUPP,
			       "no io_uring with 128 byte SQEs (Linux 5.19, kernel.io_uring_disabled=0): %s",
			       strerror(-err));
	sqe = gate_sqe(s, EVENT_SIGNAL, 0);
	sqe->opcode = IORING_OP_POLL_ADD;
	sqe->fd = s->signals;
	sqe->poll32_events = POLLIN;
	return 0;
}

static int start(struct gate_server *s)
{
	int err;

	serve_user(s, &s->message);
	err = make_ring(s);
	if (!err && s->mode != GATE_COPY)
		err = gate_zero_copy_open(s);
	if (!err)
		err = gate_add_device(s);
	return err;
}

int gate_serve(int sock, pid_t opener)
{
	struct gate_server s = { .sock = sock, .opener = opener, .control = -1, .queues = -1 };
	bool started = false;
	int err;

	err = detach(&s);
	while (await_start(&s)) {
		if (!err && !started)
			err = start(&s);
		started = true;
		reply(&s, s.message.number, err);
		/* Whoever asks is told the same. */
		if (err)
			continue;
		receive(&s);
		while (!s.stopping)
			gate_pump(&s, USER_CHECK_MS);
		break;
	}

	err = gate_remove_device(&s);
	if (s.closing)
		reply(&s, s.close_number, err);
	else if (err)
		fprintf(stderr, "# %s\n", why());
	return err ? 1 : 0;
}
