// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/proc.h"
#include "deadline.h"
#include "finding.h"
#include "gate/server.h"
#include "gate/zero_copy.h"

/* How often to look whether the user is dying; see proc_doomed(). */
#define USER_CHECK_MS	250

struct server {
	struct gate_device device;
	struct gate_zero_copy zero_copy;	/* unless device.mode is GATE_COPY */
	int sock;
	int signals;		/* signalfd */
	pid_t opener;		/* whose death ends the server */
	pid_t user;		/* whose death ends all requests that are held; 0: nobody */
	unsigned long arrivals;

	bool started;		/* or has failed to, with error */
	int error;
	bool stopping;		/* everything has to go */
	bool closing;		/* because of GATE_CLOSE, the last message */

	struct gate_message message;
	struct gate_message wait;	/* GATE_WAIT not yet answered */
	bool waiting;
};

static void reply(struct server *s, unsigned int number, int error)
{
	struct gate_reply reply = {
		.number = number,
		.error = error,
		.device = s->device.ublk.info.dev_id,
	};

	if (error)
		snprintf(reply.why, sizeof(reply.why), "%s", why());
	/* A test that no longer listens is noticed in other ways. */
	send(s->sock, &reply, sizeof(reply), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/*
 * Does all that is left to do for the request of @t: with its data, unless @error
 * (0 or a negative errno) says that it is to fail.
 */
static int complete(struct server *s, struct gate_tag *t, int error)
{
	size_t bytes = (size_t)t->request->nr_sectors << SECTOR_SHIFT;
	int rc = 0;

	if (ublksrv_get_op(t->request) == UBLK_IO_OP_READ && !error)
		memset(t->buffer, t->slot == NO_SLOT ? 0 : gate_pattern(t->slot), bytes);
	if (s->device.mode != GATE_COPY) {
		if (!error)
			rc = gate_zero_copy_move(&s->zero_copy, t, bytes);
		rc = gate_zero_copy_drop(&s->zero_copy, t) ?: rc;
	}
	error = error ?: rc;
	if (t->committed)
		t->state = TAG_FETCHING;
	else
		gate_device_commit(&s->device, t, error ?: (int)bytes);
	t->committed = false;
	return rc;
}

/* Of the requests held in @slot the one that arrived first, or NULL. */
static struct gate_tag *held(struct server *s, unsigned int slot)
{
	struct gate_tag *found = NULL;
	struct gate_tag *t;

	for (t = s->device.tags; t < s->device.tags + GATE_TAGS; t++)
		if (t->state == TAG_HELD && t->slot == slot &&
		    (!found || t->arrival < found->arrival))
			found = t;
	return found;
}

static void answer_wait(struct server *s)
{
	struct gate_tag *t = s->waiting ? held(s, s->wait.slot) : NULL;
	int err = 0;

	if (!t)
		return;
	if (s->device.mode != GATE_COPY && !t->ring)
		err = gate_zero_copy_hold(&s->zero_copy, t);
	s->waiting = false;
	reply(s, s->wait.number, err);
}

static void on_request(void *context, unsigned int number, int result)
{
	struct server *s = context;
	struct gate_tag *t = &s->device.tags[number];

	if (result != UBLK_IO_RES_OK) {
		/* ABORT: the device is stopped, there is nothing left to fetch. */
		if (result != UBLK_IO_RES_ABORT)
			fprintf(stderr, "# gate: the kernel refuses a command for tag %u/%u: %s\n",
				t->queue, t->tag, strerror(-result));
		t->state = TAG_UNUSED;
		return;
	}

	t->slot = gate_slot_at(t->request->start_sector << SECTOR_SHIFT);
	if (t->slot == NO_SLOT) {
		complete(s, t, 0);
	} else if (s->stopping || !s->user) {
		complete(s, t, -EIO);
	} else {
		t->state = TAG_HELD;
		t->arrival = s->arrivals++;
		answer_wait(s);
	}
}

/* Fails whatever is held: there is no user any more. */
static void abandon(struct server *s)
{
	s->user = 0;
	s->waiting = false;
	for (struct gate_tag *t = s->device.tags; t < s->device.tags + GATE_TAGS; t++)
		if (t->state == TAG_HELD)
			complete(s, t, -EIO);
}

static int add_device(struct server *s)
{
	int err = ublk_open(&s->device.ublk, GATE_TAGS + 1);

	if (err)
		return err;
	s->device.ublk.handle = on_request;
	s->device.ublk.context = s;
	if (s->device.mode != GATE_COPY)
		err = gate_zero_copy_open(&s->zero_copy, &s->device);
	return err ?: gate_device_add(&s->device);
}

/* Makes the test that sent GATE_START the user. Each is told of the same failure. */
static int start(struct server *s)
{
	abandon(s);
	s->user = s->message.user;
	s->device.mode = s->message.mode;
	if (!s->started && !s->error)
		s->error = add_device(s);
	s->started = true;
	return s->error;
}

static int release(struct server *s, unsigned int slot)
{
	struct gate_tag *t = held(s, slot);

	return t ? complete(s, t, 0) : why_set(ENOENT, "gate: nothing is held in slot %u", slot);
}

static void on_message(struct server *s)
{
	int err = 0;

	switch (s->message.request) {
	case GATE_START:
		err = start(s);
		break;
	case GATE_LEAVE:
		abandon(s);
		break;
	case GATE_RELEASE:
		err = release(s, s->message.slot);
		break;
	case GATE_WAIT:
		s->wait = s->message;
		s->waiting = true;
		answer_wait(s);
		return;
	case GATE_CLOSE:
		s->stopping = true;
		s->closing = true;
		return;
	}
	reply(s, s->message.number, err);
}

/*
 * Gives up everything inherited by which the server could hold up the test or be taken
 * for a part of it: its files, its working directory (on a filesystem that is going to be
 * unmounted), its process group (killed as a whole when a test takes too long). Only
 * stderr stays.
 */
static int detach(struct server *s)
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
	 * The opener's death need not end the file that is the socket, because its
	 * children have inherited the other end: a signal tells of it.
	 */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	s->signals = signalfd(-1, &term, SFD_CLOEXEC);
	if (s->signals < 0)
		return why_set(errno, "gate: signalfd: %m");
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	return 0;
}

/*
 * Waits for a message or a request, and handles the message. There is no device before the
 * first user, as the test may never need one.
 */
static void wait_for_events(struct server *s, bool serving)
{
	struct pollfd fds[] = {
		{ .fd = s->sock, .events = POLLIN },
		{ .fd = s->signals, .events = POLLIN },
		{ .fd = serving ? s->device.ublk.ring->ring_fd : -1, .events = POLLIN },
	};

	if (poll(fds, ARRAY_SIZE(fds), serving ? USER_CHECK_MS : -1) <= 0)
		return;
	if (fds[1].revents)
		s->stopping = true;
	else if (fds[0].revents && recv(s->sock, &s->message, sizeof(s->message), 0) !=
				   sizeof(s->message))
		s->stopping = true;
	else if (fds[0].revents)
		on_message(s);
}

/* Looks whether opener and user are still there. */
static void check_user(struct server *s)
{
	if (getppid() != s->opener)
		s->stopping = true;
	if (s->user && proc_doomed(s->user))
		abandon(s);
}

static void serve(struct server *s)
{
	long check = deadline_in(USER_CHECK_MS);
	bool serving = false;

	while (!s->stopping) {
		wait_for_events(s, serving);
		serving = s->started && !s->error;
		if (serving)
			ublk_pump(&s->device.ublk, 0);
		if (serving && deadline_over(check)) {
			check_user(s);
			check = deadline_in(USER_CHECK_MS);
		}
	}
}

int gate_serve(int sock, pid_t opener)
{
	struct server s = { .sock = sock, .opener = opener };
	int err;

	s.error = detach(&s);
	serve(&s);
	/* What is held fails while the device is removed, and what arrives. */
	abandon(&s);
	err = ublk_remove(&s.device.ublk);
	if (s.closing)
		reply(&s, s.message.number, err);
	else if (err)
		fprintf(stderr, "# %s\n", why());
	return err ? 1 : 0;
}
