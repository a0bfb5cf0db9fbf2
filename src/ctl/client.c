/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client.c - one connection of the control socket: bytes in, lines to verbs,
 * a response out, one request at a time (states in server_int.h).
 *
 * While a response is being sent or a line waits for its turn nothing more is
 * read: a client that does not take its answers is held back by its own socket.
 * Every state but READY has a bound in time; READY ends by the pump.
 */
#include "config.h"

#include "ctl/server_int.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool has_line(const struct ctl_client *c)
{
	return memchr(c->in, '\n', c->in_len) != NULL;
}

void ctl_client_watch(struct ctl_client *c)
{
	int events = 0;

	switch (c->state) {
	case CTL_C_READING:
		events = LOOP_READ;
		break;
	case CTL_C_WAITING:
		/* To learn that the client has gone; what it sends meanwhile is for
		 * later. */
		events = c->in_len < sizeof(c->in) ? LOOP_READ : 0;
		break;
	case CTL_C_SENDING:
		events = LOOP_WRITE;
		break;
	case CTL_C_READY:
		break;
	}
	loop_fd_set(c->s->loop, &c->fd, events);
}

static void set_state(struct ctl_client *c, enum ctl_client_state to)
{
	struct loop *l = c->s->loop;

	if (c->state == CTL_C_READY)
		TAILQ_REMOVE(&c->s->ready[c->may_change], c, ready_link);
	c->state = to;
	c->since_ns = loop_now_ns(l);
	switch (to) {
	case CTL_C_READING:
		loop_timer_in(l, &c->timer, CTL_IDLE_NS);
		break;
	case CTL_C_READY:
		loop_timer_stop(l, &c->timer);
		TAILQ_INSERT_TAIL(&c->s->ready[c->may_change], c, ready_link);
		ctl_pump(c->s);
		break;
	case CTL_C_WAITING:
		loop_timer_at(l, &c->timer,
			      ctl_wait_polls(&c->wait)
				      ? MIN(c->wait.due_ns, c->since_ns + CTL_POLL_NS)
				      : c->wait.due_ns);
		break;
	case CTL_C_SENDING:
		loop_timer_in(l, &c->timer, CTL_SEND_NS);
		break;
	}
	ctl_client_watch(c);
}

/* --- answering -------------------------------------------------------------------- */

static void drop_out(struct ctl_client *c)
{
	c->s->out_bytes -= c->out_len;
	free(c->out);
	c->out = NULL;
	c->out_len = c->out_done = 0;
}

/* Take the memory back from those who have been taking their answer the longest. They
 * are closed from their timers: our caller may be walking the list. */
static void make_room(struct ctl_server *s)
{
	while (s->out_bytes > CTL_OUT_TOTAL_MAX) {
		struct ctl_client *c, *oldest = NULL;

		TAILQ_FOREACH (c, &s->clients, link) {
			if (c->out_len && (!oldest || c->since_ns < oldest->since_ns))
				oldest = c;
		}
		assert(oldest); /* out_bytes is the sum of their out_len */
		drop_out(oldest);
		oldest->last = true;
		loop_timer_in(s->loop, &oldest->timer, 0);
	}
}

/* Done with a response: the next request, if the client may send one. False: closed and
 * freed. */
static bool next_request(struct ctl_client *c)
{
	drop_out(c);
	if (c->last) {
		ctl_client_free(c);
		return false;
	}
	set_state(c, has_line(c) ? CTL_C_READY : CTL_C_READING);
	return true;
}

/* May free @c. */
static void send_some(struct ctl_client *c)
{
	size_t left = c->out_len - c->out_done;
	ssize_t n = 0;

	if (left) {
		n = send(c->fd.fd, c->out + c->out_done, MIN(left, CTL_SEND_CHUNK),
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
	}
	if (n < 0) {
		ctl_client_free(c);
		return;
	}
	c->out_done += (size_t)n;
	if (c->out_done == c->out_len)
		next_request(c);
}

/* Takes @line; NULL (no memory even for an error) closes. May free @c. */
static void respond(struct ctl_client *c, char *line, size_t len)
{
	if (!line) {
		ctl_client_free(c);
		return;
	}
	c->out = line;
	c->out_len = len;
	c->out_done = 0;
	c->s->out_bytes += len;
	make_room(c->s);
	set_state(c, CTL_C_SENDING);
	send_some(c);
}

static void respond_error(struct ctl_client *c, const struct ctl_error *err)
{
	size_t len = 0;
	char *line = ctl_error_encode(err, &len);

	respond(c, line, len);
}

static void respond_ok(struct ctl_client *c, json_t *result)
{
	struct ctl_error err;
	size_t len = 0;
	char *line = ctl_ok_encode(result, &len);

	if (!line) {
		ctl_fail(&err, CTL_E_NO_MEMORY, "no memory for the answer");
		respond_error(c, &err);
		return;
	}
	respond(c, line, len);
}

/* Act on how a verb ended; takes call->result. May free @c. */
static void finish(struct ctl_client *c, struct ctl_call *call, enum ctl_end end)
{
	if (c->state == CTL_C_WAITING && end != CTL_LATER)
		ctl_wait_end(&c->wait);
	switch (end) {
	case CTL_DONE:
		respond_ok(c, call->result);
		json_decref(call->result);
		break;
	case CTL_FAILED:
		respond_error(c, &call->err);
		break;
	case CTL_LATER:
		c->wait = call->wait;
		set_state(c, CTL_C_WAITING);
		break;
	}
}

void ctl_client_serve(struct ctl_client *c)
{
	struct ctl_call call = {.s = c->s, .may_change = c->may_change};
	struct ctl_request req;
	const char *nl = memchr(c->in, '\n', c->in_len);
	size_t len = (size_t)(nl - c->in);
	enum ctl_end end = CTL_FAILED;

	if (ctl_request_decode(c->in, len, &req, &call.err) == 0) {
		call.args = req.args;
		end = ctl_verb_run(&call, req.verb);
		ctl_request_clear(&req);
		call.args = NULL;
	}
	c->in_len -= len + 1;
	memmove(c->in, nl + 1, c->in_len);
	finish(c, &call, end);
}

void ctl_client_recheck(struct ctl_client *c)
{
	struct ctl_call call = {.s = c->s, .wait = c->wait};
	enum ctl_end end = ctl_wait_check(&call);

	if (end != CTL_LATER || ctl_wait_polls(&c->wait))
		finish(c, &call, end);
}

void ctl_client_dismiss(struct ctl_client *c)
{
	struct ctl_error err;
	char *line;
	size_t len;

	if (c->state != CTL_C_WAITING && c->state != CTL_C_READY)
		return;
	ctl_fail(&err, CTL_E_STOPPING, "lunmuxd is ending");
	line = ctl_error_encode(&err, &len);
	/* Whoever does not take it now sees the end of the connection instead. */
	if (line && send(c->fd.fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("control socket: client was gone at the end: %m");
	free(line);
}

/* --- events -------------------------------------------------------------------------
 */

static void timer_fn(struct loop_timer *t)
{
	struct ctl_client *c = container_of(t, struct ctl_client, timer);
	struct ctl_call call = {.s = c->s, .wait = c->wait};

	if (c->state != CTL_C_WAITING) {
		ctl_client_free(c);
		return;
	}
	if (loop_now_ns(c->s->loop) < c->wait.due_ns) {
		ctl_client_recheck(c);
		return;
	}
	finish(c, &call, ctl_wait_expired(&call));
}

/* May free @c. */
static void read_some(struct ctl_client *c)
{
	struct ctl_error err;
	ssize_t n = recv(c->fd.fd, c->in + c->in_len, sizeof(c->in) - c->in_len,
			 MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		ctl_client_free(c);
		return;
	}
	c->in_len += (size_t)n;
	if (c->state == CTL_C_WAITING) {
		ctl_client_watch(c);
		return;
	}
	if (has_line(c)) {
		set_state(c, CTL_C_READY);
	} else if (c->in_len == sizeof(c->in)) {
		ctl_fail(&err, CTL_E_BAD_REQUEST, "request: longer than %zu bytes",
			 sizeof(c->in));
		c->in_len = 0;
		c->last =
			true; /* where the next request begins is not known any more */
		respond_error(c, &err);
	}
}

void ctl_client_io(struct loop_fd *f, int events)
{
	struct ctl_client *c = container_of(f, struct ctl_client, fd);
	struct ctl_server *s = c->s;
	uint64_t start = loop_clock_ns(s->loop);

	if (!ctl_io_allowed(s)) {
		loop_fd_set(s->loop, f, 0);
		ctl_park(s);
		return;
	}
	if (c->state == CTL_C_SENDING)
		send_some(c);
	else if (c->state != CTL_C_READY)
		read_some(c);
	ctl_charge(s, start);
}

/* --- life ----------------------------------------------------------------------------
 */

struct ctl_client *ctl_client_new(struct ctl_server *s, int fd, bool may_change)
{
	struct ctl_client *c = malloc(sizeof(*c));

	if (!c) {
		close(fd);
		return NULL;
	}
	/* All but the input buffer: its pages come when they are needed. */
	memset(c, 0, offsetof(struct ctl_client, in));
	c->s = s;
	c->may_change = may_change;
	loop_fd_init(&c->fd, fd, ctl_client_io);
	loop_timer_init(&c->timer, timer_fn);
	TAILQ_INSERT_TAIL(&s->clients, c, link);
	s->nclients++;
	s->nreaders += !may_change;
	set_state(c, CTL_C_READING);
	return c;
}

void ctl_client_free(struct ctl_client *c)
{
	struct ctl_server *s = c->s;

	if (c->state == CTL_C_READY)
		TAILQ_REMOVE(&s->ready[c->may_change], c, ready_link);
	if (c->state == CTL_C_WAITING)
		ctl_wait_end(&c->wait);
	drop_out(c);
	loop_timer_stop(s->loop, &c->timer);
	loop_fd_set(s->loop, &c->fd, 0);
	close(c->fd.fd);
	TAILQ_REMOVE(&s->clients, c, link);
	s->nclients--;
	s->nreaders -= !c->may_change;
	free(c);
}
