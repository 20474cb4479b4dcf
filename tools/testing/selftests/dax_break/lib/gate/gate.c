// SPDX-License-Identifier: GPL-2.0
/*
 * The test's side of the gate: starts the server, tells it what to do, and sees
 * to it that it ends.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deadline.h"
#include "gate/internal.h"
#include "why.h"

struct gate {
	int sock;
	pid_t server;
	unsigned int number;	/* of the last message sent */
	bool shared;
	bool used;		/* shared, and by this process */
	bool killed;
	unsigned int device;
	char path[32];
};

/* Of gate_share(): for GATE_COPY, and for the other modes. */
static struct gate *shared[2];
static pid_t sharer;

size_t gate_slot_bytes(void)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return page > 64 * GATE_KIB ? page : 64 * GATE_KIB;
}

static int no_answer(int err, const char *what)
{
	return why_set(err, "gate: %s: %s", what,
		       err == ETIMEDOUT ? "no answer from the server" : "the server is gone");
}

/* Receives the reply to message @number. */
static int receive(struct gate *gate, unsigned int number, long ms, const char *what,
		   struct gate_reply *reply)
{
	struct pollfd pfd = { .fd = gate->sock, .events = POLLIN };
	long deadline = deadline_in(ms);
	ssize_t n;

	for (;;) {
		n = recv(gate->sock, reply, sizeof(*reply), MSG_DONTWAIT);
		/* An older number: the answer to a question given up since. */
		if (n == sizeof(*reply) && reply->number == number)
			break;
		if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
			return no_answer(EPIPE, what);
		if (n > 0)
			continue;
		if (deadline_over(deadline))
			return no_answer(ETIMEDOUT, what);
		poll(&pfd, 1, deadline_left(deadline));
	}
	if (reply->error)
		return why_set(-reply->error, "%.*s", (int)sizeof(reply->why), reply->why);
	return 0;
}

static int ask(struct gate *gate, struct gate_message message, long ms, const char *what,
	       struct gate_reply *reply)
{
	message.number = ++gate->number;
	if (message.slot >= GATE_SLOTS)
		return why_set(EINVAL, "gate: %s: there is no slot %u", what, message.slot);
	if (send(gate->sock, &message, sizeof(message), MSG_NOSIGNAL) != sizeof(message))
		return no_answer(EPIPE, what);
	return receive(gate, message.number, ms, what, reply);
}

static int tell(struct gate *gate, enum gate_request request, unsigned int slot, long ms,
		const char *what)
{
	struct gate_message message = { .request = request, .slot = slot };
	struct gate_reply reply;

	return ask(gate, message, ms, what, &reply);
}

static bool ended(pid_t server, long ms)
{
	long deadline = deadline_in(ms);

	/* -1: it was reaped by somebody else, a wait() of the test maybe. */
	while (!waitpid(server, NULL, WNOHANG)) {
		if (deadline_over(deadline))
			return false;
		deadline_pause();
	}
	return true;
}

/* The server ends by itself once its socket is closed. */
static void dismiss(struct gate *gate)
{
	close(gate->sock);
	if (!ended(gate->server, GATE_TEARDOWN_MS)) {
		fprintf(stderr, "# gate: server %d does not end, killing it\n", gate->server);
		kill(gate->server, SIGKILL);
		ended(gate->server, DEADLINE_MS);
	}
	free(gate);
}

int gate_prepare(struct gate **gatep)
{
	struct gate *gate = calloc(1, sizeof(*gate));
	pid_t opener = getpid();
	int pair[2];
	int err;

	if (!gate)
		return why_set(ENOMEM, "gate: out of memory");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		err = why_set(errno, "gate: socketpair: %m");
		free(gate);
		return err;
	}

	gate->server = fork();
	if (gate->server < 0) {
		err = why_set(errno, "gate: fork: %m");
		close(pair[0]);
		close(pair[1]);
		free(gate);
		return err;
	}
	if (!gate->server)
		_exit(gate_serve(pair[1], opener));
	close(pair[1]);
	gate->sock = pair[0];
	*gatep = gate;
	return 0;
}

int gate_start(struct gate *gate, enum gate_mode mode)
{
	struct gate_message message = { .request = GATE_START, .mode = mode, .user = getpid() };
	long deadline = deadline_in(DEADLINE_MS);
	struct gate_reply reply;
	int err;

	err = ask(gate, message, GATE_SETUP_MS, "start", &reply);
	if (err)
		return err;

	/* With devtmpfs the node is already there, otherwise udev has to make it. */
	gate->device = reply.device;
	snprintf(gate->path, sizeof(gate->path), "/dev/ublkb%u", gate->device);
	while (access(gate->path, F_OK)) {
		if (deadline_over(deadline))
			return why_set(ENOENT, "gate: %s did not appear: no devtmpfs on /dev?",
				       gate->path);
		deadline_pause();
	}
	return 0;
}

int gate_open(struct gate **gatep, enum gate_mode mode)
{
	struct gate *gate = shared[mode != GATE_COPY];
	int err;

	if (gate && !gate->used) {
		/* Replies to a user before us, dead maybe, are none to us. */
		gate->number = (unsigned int)getpid() << 10;
		err = gate_start(gate, mode);
		gate->used = !err;
		*gatep = gate;
		if (!err || err == -EOPNOTSUPP)
			return err;
		fprintf(stderr, "# %s: not the shared one, then\n", why());
	}

	err = gate_prepare(&gate);
	if (err)
		return err;
	err = gate_start(gate, mode);
	if (err)
		gate_close(gate);
	else
		*gatep = gate;
	return err;
}

/* At exit, but not at the exit of a forked test. */
static void unshare_all(void)
{
	if (getpid() != sharer)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
		if (shared[i])
			shared[i]->shared = false;
		gate_close(shared[i]);
	}
}

void gate_share(void)
{
	sharer = getpid();
	atexit(unshare_all);
	/* If that fails, each user gets a gate of its own, or is told why not. */
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++)
		if (!gate_prepare(&shared[i]))
			shared[i]->shared = true;
}

const char *gate_path(const struct gate *gate)
{
	return gate->path;
}

off_t gate_slot_offset(const struct gate *gate, unsigned int slot)
{
	(void)gate;
	return GATE_FIRST_SLOT + slot * gate_slot_stride();
}

size_t gate_slot_size(const struct gate *gate)
{
	(void)gate;
	return gate_slot_bytes();
}

unsigned char gate_pattern(unsigned int slot)
{
	return '@' + slot % GATE_SLOTS;
}

int gate_wait_held(struct gate *gate, unsigned int slot)
{
	int err = tell(gate, GATE_WAIT, slot, DEADLINE_MS, "wait");

	if (err == -ETIMEDOUT)
		why_set(ETIMEDOUT, "gate: no request for slot %u within %d ms", slot, DEADLINE_MS);
	return err;
}

int gate_release(struct gate *gate, unsigned int slot)
{
	return tell(gate, GATE_RELEASE, slot, DEADLINE_MS, "release");
}

int gate_kill(struct gate *gate)
{
	kill(gate->server, SIGKILL);
	gate->killed = true;
	if (!ended(gate->server, DEADLINE_MS))
		return why_set(ETIMEDOUT, "gate: server %d survives SIGKILL", gate->server);
	return 0;
}

void gate_close(struct gate *gate)
{
	int err = 0;

	if (!gate)
		return;
	if (gate->killed)
		err = gate_remove_dead_device(gate->device);
	else if (gate->shared)
		err = tell(gate, GATE_LEAVE, 0, DEADLINE_MS, "leave");
	else
		err = tell(gate, GATE_CLOSE, 0, GATE_TEARDOWN_MS, "close");
	if (err)
		fprintf(stderr, "# %s\n", why());
	if (gate->shared)
		gate->used = false;
	else
		dismiss(gate);
}
