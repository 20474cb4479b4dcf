// SPDX-License-Identifier: GPL-2.0
/*
 * The test's side of the gate: starts the server, tells it what to do, and makes sure
 * that it ends.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/run.h"
#include "deadline.h"
#include "finding.h"
#include "gate/gate.h"
#include "gate/server.h"
#include "gate/ublk.h"

/* Setup and removal wait for the kernel (RCU, queue freeze), and maybe for an emulator. */
#define SERVER_MS	15000

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

/* Of gate_share(): one for GATE_COPY, one for the other modes. */
static struct gate *shared[2];
static pid_t sharer;

static int no_answer(int err, const char *what)
{
	return why_set(err, "gate: %s: %s", what,
		       err == ETIMEDOUT ? "no answer from the server" : "the server is gone");
}

/* Sends @message, and receives the reply to it within @ms. */
static int ask(struct gate *gate, struct gate_message message, long ms, const char *what,
	       struct gate_reply *reply)
{
	struct pollfd pfd = { .fd = gate->sock, .events = POLLIN };
	long deadline = deadline_in(ms);
	ssize_t n;

	message.number = ++gate->number;
	if (message.slot >= GATE_SLOTS)
		return why_set(EINVAL, "gate: %s: there is no slot %u", what, message.slot);
	if (send(gate->sock, &message, sizeof(message), MSG_NOSIGNAL) != sizeof(message))
		return no_answer(EPIPE, what);
	for (;;) {
		/*
		 * Only after poll(): a receive that finds nothing, while the server replies
		 * and ends, may take that for its end alone (unix_dgram_recvmsg()).
		 */
		if (poll(&pfd, 1, deadline_left(deadline)) <= 0) {
			if (deadline_over(deadline))
				return no_answer(ETIMEDOUT, what);
			continue;
		}
		n = recv(gate->sock, reply, sizeof(*reply), MSG_DONTWAIT);
		if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
			return no_answer(EPIPE, what);
		/* An older number is that of a message whose reply was given up. */
		if (n == sizeof(*reply) && reply->number == message.number)
			break;
	}
	if (reply->error)
		return why_set(-reply->error, "%.*s", (int)sizeof(reply->why), reply->why);
	return 0;
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

	/* -1: something else has reaped it, maybe a wait() of the test. */
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
	if (!ended(gate->server, SERVER_MS)) {
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
	int pair[2], err;

	if (!gate)
		return why_set(ENOMEM, "gate: out of memory");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		err = why_set(errno, "gate: socketpair: %m");
		goto free;
	}
	gate->sock = pair[0];
	gate->server = fork();
	if (!gate->server)
		_exit(gate_serve(pair[1], opener));
	close(pair[1]);
	if (gate->server > 0) {
		*gatep = gate;
		return 0;
	}
	err = why_set(errno, "gate: fork: %m");
	close(pair[0]);
free:
	free(gate);
	return err;
}

int gate_start(struct gate *gate, enum gate_mode mode)
{
	struct gate_message message = { .request = GATE_START, .mode = mode, .user = getpid() };
	long deadline = deadline_in(DEADLINE_MS);
	struct gate_reply reply;
	int err;

	err = ask(gate, message, SERVER_MS, "start", &reply);
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
		/* Replies to the user before us, which may be dead, have other numbers. */
		gate->number = (unsigned int)getpid() << 10;
		err = gate_start(gate, mode);
		gate->used = !err;
		*gatep = gate;
		if (!err || err == -EOPNOTSUPP)
			return err;
		fprintf(stderr, "# %s: using a gate that is not shared\n", why());
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

/* Runs at the exit of the process that shares, and of the tests that it has forked. */
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
	/* If that fails, each user opens a gate of its own, and sees why it cannot. */
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++)
		if (!gate_prepare(&shared[i]))
			shared[i]->shared = true;
}

const char *gate_path(const struct gate *gate)
{
	return gate->path;
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
		err = ublk_remove_dead(gate->device, run_token());
	else if (gate->shared)
		err = tell(gate, GATE_LEAVE, 0, DEADLINE_MS, "leave");
	else
		err = tell(gate, GATE_CLOSE, 0, SERVER_MS, "close");
	if (err)
		fprintf(stderr, "# %s\n", why());
	if (gate->shared)
		gate->used = false;
	else
		dismiss(gate);
}

int gate_remove_devices_of(__u64 run)
{
	DIR *dev = run ? opendir("/dev") : NULL;
	struct dirent *entry;
	unsigned int number;
	int rc = 0;

	while (dev && (entry = readdir(dev)))
		if (sscanf(entry->d_name, "ublkc%u", &number) == 1)
			rc = ublk_remove_dead(number, run) ?: rc;
	if (dev)
		closedir(dev);
	return rc;
}
