/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_conn.c - life of one connection: states, input, output, patience.
 *
 *                FLAGS  LONG   SKIPD  EXPORT NOQUO  QUOTA  NOROOM ROOM   PAYLD  REFUSD PAYEND FINISH DEAD
 *   flags        option  -      -      -      -      -      -      -      -      -      -     closing dead
 *   option        -     skip    -     request -      -      -      -      -      -      -     closing dead
 *   skip          -      -     option  -      -      -      -      -      -      -      -     closing dead
 *   request       -      -      -      -     quota   -     room    -     payload drain   -     closing dead
 *   quota         -      -      -      -      -     request -      -      -      -      -     closing dead
 *   room          -      -      -      -      -      -      -     request -      -      -     closing dead
 *   payload       -      -      -      -      -      -      -      -      -      -     request closing dead
 *   drain         -      -      -      -      -      -      -      -      -      -     request closing dead
 *   closing       -      -      -      -      -      -      -      -      -      -      -     closing dead
 *   dead          -      -      -      -      -      -      -      -      -      -      -      -      -
 *
 * The kernel's connection (nbd_server_attach()) begins in request.
 *
 * Input: one receive a turn into rbuf, which takes many requests; a large
 * payload goes straight into its request, with a little of what follows.  The
 * socket is watched as long as rbuf has room, also while requests wait: so the
 * end of a client is seen although nothing of its input can be worked on.
 *
 * Output: replies are gathered over the turn and sent by one sendmsg() in its
 * flush phase.
 *
 * Patience: who holds buffers of the LUN and does not move is cut, see
 * nbd_conn_stalled().
 */
#include <config.h>

#include "export/nbd_int.h"

#include "base/fault.h"
#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

const char *const nbd_state_names[NBD_S_NR] = {
	[NBD_S_FLAGS] = "flags",     [NBD_S_OPTION] = "option",	  [NBD_S_SKIP] = "skip",
	[NBD_S_REQUEST] = "request", [NBD_S_QUOTA] = "quota",	  [NBD_S_ROOM] = "room",
	[NBD_S_PAYLOAD] = "payload", [NBD_S_DRAIN] = "drain",	  [NBD_S_CLOSING] = "closing",
	[NBD_S_DEAD] = "dead",
};

#define TO(s) (NBD_S_##s + 1) /* 0: blank */
static const uint8_t moves[NBD_S_NR][NBD_E_NR] = {
	[NBD_S_FLAGS] = {[NBD_E_FLAGS] = TO(OPTION)},
	[NBD_S_OPTION] = {[NBD_E_TOO_LONG] = TO(SKIP), [NBD_E_EXPORT] = TO(REQUEST)},
	[NBD_S_SKIP] = {[NBD_E_SKIPPED] = TO(OPTION)},
	[NBD_S_REQUEST] = {[NBD_E_NO_QUOTA] = TO(QUOTA),
			   [NBD_E_NO_ROOM] = TO(ROOM),
			   [NBD_E_PAYLOAD] = TO(PAYLOAD),
			   [NBD_E_REFUSED] = TO(DRAIN)},
	[NBD_S_QUOTA] = {[NBD_E_QUOTA] = TO(REQUEST)},
	[NBD_S_ROOM] = {[NBD_E_ROOM] = TO(REQUEST)},
	[NBD_S_PAYLOAD] = {[NBD_E_PAYLOAD_END] = TO(REQUEST)},
	[NBD_S_DRAIN] = {[NBD_E_PAYLOAD_END] = TO(REQUEST)},
};

static enum nbd_state next_state(enum nbd_state from, enum nbd_event ev)
{
	assert(from != NBD_S_DEAD);
	if (ev == NBD_E_DEAD)
		return NBD_S_DEAD;
	if (ev == NBD_E_FINISH)
		return NBD_S_CLOSING;
	assert(moves[from][ev] != 0);
	return (enum nbd_state)(moves[from][ev] - 1);
}

static bool in_handshake(enum nbd_state s)
{
	return s == NBD_S_FLAGS || s == NBD_S_OPTION || s == NBD_S_SKIP;
}

static bool in_payload(enum nbd_state s)
{
	return s == NBD_S_PAYLOAD || s == NBD_S_DRAIN;
}

static bool is_reading(enum nbd_state s)
{
	return s != NBD_S_CLOSING && s != NBD_S_DEAD;
}

/* --- slots ----------------------------------------------------------------------- */

void nbd_slot_free(struct nbd_slot *slot)
{
	struct nbd_conn *c = slot->conn;

	assert(!slot->in_lun && c->cur != slot);
	io_put(&slot->io);
	nbd_uncharge(slot);
	pool_put(&c->slots, slot);
}

static void drop_cur(struct nbd_conn *c)
{
	struct nbd_slot *slot = c->cur;

	if (!slot)
		return;
	c->cur = NULL;
	nbd_slot_free(slot);
}

static void drop_output(struct nbd_conn *c)
{
	struct nbd_slot *slot;

	while ((slot = STAILQ_FIRST(&c->out)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->out, out);
		if (slot->type == NBD_FLUSH && slot->io.err && !fault_strikes(PLANT_NBD_UNTOLD))
			lun_client_untold(&c->client);
		nbd_slot_free(slot);
	}
	if (c->carry_out && c->carry_untold)
		lun_client_untold(&c->client);
	free(c->carry_out);
	c->carry_out = NULL;
	c->out_bytes = c->out_off = 0;
	c->hs.out_start = c->hs.out_end = 0;
}

static bool has_output(const struct nbd_conn *c)
{
	return c->carry_out || !STAILQ_EMPTY(&c->out) || c->hs.out_end > c->hs.out_start;
}

/* --- moves ------------------------------------------------------------------------ */

void nbd_patience_start(struct nbd_conn *c)
{
	if (loop_timer_running(&c->stall))
		return;
	c->win_in = c->win_out = 0;
	loop_timer_in(c->srv->loop, &c->stall, c->srv->conf.stall_ns);
}

static void bury(struct nbd_conn *c)
{
	struct loop *l = c->srv->loop;
	struct nbd_slot *slot;

	loop_fd_set(l, &c->fd, 0);
	close(c->fd.fd);
	c->fd.fd = -1;
	loop_timer_stop(l, &c->handshake);
	loop_timer_stop(l, &c->stall);
	loop_timer_stop(l, &c->again);
	loop_task_cancel(l, &c->input);
	loop_task_cancel(l, &c->output);
	free(c->rbuf);
	free(c->carry_in);
	c->rbuf = c->carry_in = NULL;
	c->r_start = c->r_end = 0;
	drop_cur(c);
	drop_output(c);
	/* What was not sent to a path shall not be: the client may send something newer to the
	 * same blocks by another connection. The rest stays ours until it has ended. */
	TAILQ_FOREACH(slot, &c->at_lun, lun)
		io_abandon(&slot->io);
	lun_client_leave(&c->client);
	nbd_server_conn_dead(c);
	if (c->gone)
		c->gone(c->gone_arg, c->bye);
}

static void leave(struct nbd_conn *c, enum nbd_state from)
{
	if (in_handshake(from) && !in_handshake(c->state))
		loop_timer_stop(c->srv->loop, &c->handshake);
	if (from == NBD_S_QUOTA)
		TAILQ_REMOVE(&c->srv->line, c, line);
	if (from == NBD_S_QUOTA || from == NBD_S_ROOM)
		c->srv->waiting--;
}

void nbd_conn_event(struct nbd_conn *c, enum nbd_event ev)
{
	enum nbd_state from = c->state;

	c->state = next_state(from, ev);
	if (c->state == from)
		return;
	log_debug("nbd: client %llu (%s): %s -> %s", (unsigned long long)c->id, c->peer,
		  nbd_state_names[from], nbd_state_names[c->state]);
	leave(c, from);
	switch (c->state) {
	case NBD_S_QUOTA:
		TAILQ_INSERT_TAIL(&c->srv->line, c, line);
		c->srv->waiting++;
		break;
	case NBD_S_ROOM:
		c->srv->waiting++;
		break;
	case NBD_S_PAYLOAD:
	case NBD_S_DRAIN:
		c->in_since_ns = loop_now_ns(c->srv->loop);
		nbd_patience_start(c);
		break;
	case NBD_S_CLOSING:
		drop_cur(c);
		loop_task_queue(c->srv->loop, &c->output);
		break;
	case NBD_S_DEAD:
		bury(c);
		break;
	case NBD_S_FLAGS:
	case NBD_S_OPTION:
	case NBD_S_SKIP:
	case NBD_S_REQUEST:
	case NBD_S_NR:
		break;
	}
}

void nbd_conn_cut(struct nbd_conn *c, const char *why)
{
	nbd_noise(c->srv, LOG_L_NOTICE, "nbd: client %llu (%s): closed in state %s: %s",
		  (unsigned long long)c->id, c->peer, nbd_state_names[c->state], why);
	c->srv->stats.cut++;
	lun_event(c->srv->lun, EVENT_CLIENT, c->peer, nbd_state_names[c->state], "cut", why);
	nbd_conn_event(c, NBD_E_DEAD);
}

void nbd_conn_gone(struct nbd_conn *c, const char *how)
{
	nbd_noise(c->srv, LOG_L_INFO, "nbd: client %llu (%s) %s in state %s, %u requests in flight",
		  (unsigned long long)c->id, c->peer, how, nbd_state_names[c->state], c->inflight);
	lun_event(c->srv->lun, EVENT_CLIENT, c->peer, nbd_state_names[c->state], "gone", how);
	nbd_conn_event(c, NBD_E_DEAD);
}

void nbd_conn_try_close(struct nbd_conn *c)
{
	if (c->state != NBD_S_CLOSING || has_output(c) || (c->inflight > 0 && !fault_strikes(PLANT_NBD_BYE)))
		return;
	log_debug("nbd: client %llu (%s): finished", (unsigned long long)c->id, c->peer);
	nbd_conn_event(c, NBD_E_DEAD);
}

/* --- input ------------------------------------------------------------------------ */

void nbd_consume(struct nbd_conn *c, size_t bytes)
{
	assert(bytes <= nbd_avail(c));
	c->r_start += bytes;
	if (c->r_start == c->r_end)
		c->r_start = c->r_end = 0;
}

static bool conn_step(struct nbd_conn *c)
{
	switch (c->state) {
	case NBD_S_FLAGS:
		return nbd_hs_flags(c);
	case NBD_S_OPTION:
		return nbd_hs_option(c);
	case NBD_S_SKIP:
		return nbd_hs_skip(c);
	case NBD_S_REQUEST:
		return nbd_tx_request(c);
	case NBD_S_PAYLOAD:
		return nbd_tx_payload(c);
	case NBD_S_DRAIN:
		return nbd_tx_drain(c);
	case NBD_S_QUOTA:
	case NBD_S_ROOM:
	case NBD_S_CLOSING:
	case NBD_S_DEAD:
	case NBD_S_NR:
		break;
	}
	return false;
}

/* From the socket, and not from what was carried over? */
static bool may_read(const struct nbd_conn *c)
{
	return is_reading(c->state) && !c->srv->frozen && !c->carry_in;
}

void nbd_conn_watch(struct nbd_conn *c)
{
	int events = 0;

	if (c->state == NBD_S_DEAD)
		return;
	if (may_read(c) && nbd_avail(c) < NBD_RBUF_BYTES)
		events |= LOOP_READ;
	if (c->out_blocked)
		events |= LOOP_WRITE;
	loop_fd_set(c->srv->loop, &c->fd, events);
}

/* What was received and not carried out by an earlier process comes first. */
static ssize_t conn_recv(struct nbd_conn *c, struct msghdr *msg)
{
	size_t n;

	if (!c->carry_in)
		return recvmsg(c->fd.fd, msg, MSG_DONTWAIT);
	n = MIN(msg->msg_iov->iov_len, c->carry_in_len - c->carry_in_off);
	memcpy(msg->msg_iov->iov_base, c->carry_in + c->carry_in_off, n);
	c->carry_in_off += n;
	if (c->carry_in_off == c->carry_in_len) {
		free(c->carry_in);
		c->carry_in = NULL;
	}
	return (ssize_t)n;
}

/* The rest of the payload to its place, and a little more behind it to rbuf. */
static ssize_t receive_payload(struct nbd_conn *c)
{
	uint32_t left = c->cur->length - c->cur_got;
	struct iovec iov[2] = {
		{.iov_base = c->cur->io.data + c->cur_got, .iov_len = left},
		{.iov_base = c->rbuf, .iov_len = NBD_BEHIND_BYTES},
	};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	ssize_t n;

	assert(nbd_avail(c) == 0 && left > 0);
	if (c->carry_in)
		msg.msg_iovlen = 1;
	n = conn_recv(c, &msg);
	if (n <= 0)
		return n;
	if ((size_t)n > left)
		c->r_end = (size_t)n - left;
	nbd_tx_payload_got(c, (uint32_t)MIN((size_t)n, left));
	return n;
}

static ssize_t receive_buffer(struct nbd_conn *c)
{
	struct iovec iov;
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (c->r_start > 0 && c->r_end > NBD_RBUF_BYTES / 2) {
		memmove(c->rbuf, c->rbuf + c->r_start, nbd_avail(c));
		c->r_end -= c->r_start;
		c->r_start = 0;
	}
	if (c->r_end == NBD_RBUF_BYTES) {
		errno = EAGAIN;
		return -1;
	}
	iov.iov_base = c->rbuf + c->r_end;
	iov.iov_len = NBD_RBUF_BYTES - c->r_end;
	n = conn_recv(c, &msg);
	if (n > 0)
		c->r_end += (size_t)n;
	return n;
}

/* False: there is nothing, or no place for it. */
static bool conn_receive_carried(struct nbd_conn *c)
{
	if (!c->carry_in || !is_reading(c->state))
		return false;
	return (c->state == NBD_S_PAYLOAD ? receive_payload(c) : receive_buffer(c)) > 0;
}

static void note_modest(struct nbd_conn *c)
{
	struct nbd_server *s = c->srv;

	if (c->batch + c->inflight >= NBD_SHARE)
		return;
	if (s->modest[0].id != c->id)
		s->modest[1] = s->modest[0];
	s->modest[0].id = c->id;
	s->modest[0].ns = loop_now_ns(s->loop);
}

/* Is there another client, that asks for little? */
static bool is_shared(const struct nbd_conn *c)
{
	const struct nbd_server *s = c->srv;
	unsigned other = s->modest[0].id == c->id;

	return s->modest[other].id && loop_now_ns(s->loop) - s->modest[other].ns < NBD_HEARD_NS;
}

/*
 * Bounded by what rbuf holds and by the slots: no client can keep the turn for itself.
 *
 * A client that sends many requests at once would wait for the last of them, and then we for it.  So half of them are
 * carried out and answered first, and while the rest is, it has something to do.  (Half of what the last receive brought:
 * how many there are now is not known.)  Those that follow one upon the other stay together: they can be merged.  With
 * several clients or very many requests there is something to do anyway, and a round more costs some.
 *
 * Another client, that asks for little, would wait for all that this one has sent.  So it is a few in a turn then (and what
 * follows upon them: that is soon done), and the other is heard before the next few.
 */
static unsigned most_at_once(const struct nbd_conn *c)
{
	if (is_shared(c))
		return NBD_SHARE;
	if (c->srv->nclients > 1 || c->batch > NBD_HALVES_MAX)
		return UINT_MAX;
	return MAX(c->batch / 2, NBD_HALF_MIN);
}

/* The rest of what was received: in the next round of this turn, or in the next turn. */
static void process_later(struct nbd_conn *c)
{
	if (!is_shared(c))
		nbd_conn_kick(c);
	else if (is_reading(c->state))
		loop_timer_in(c->srv->loop, &c->again, 1);
}

static void conn_process(struct nbd_conn *c)
{
	unsigned left = most_at_once(c);

	while (left > 0 && !c->srv->frozen) {
		uint64_t taken = c->requests;

		if (!conn_step(c) && !conn_receive_carried(c))
			break;
		left -= c->requests != taken && !c->follows;
	}
	if (left == 0)
		process_later(c);
	nbd_conn_watch(c);
}

static void conn_again(struct loop_timer *t)
{
	conn_process(container_of(t, struct nbd_conn, again));
}

static void conn_input_task(struct loop_task *t)
{
	conn_process(container_of(t, struct nbd_conn, input));
}

void nbd_conn_kick(struct nbd_conn *c)
{
	if (is_reading(c->state) && !loop_timer_running(&c->again))
		loop_task_queue(c->srv->loop, &c->input);
}

/* Not while something waits to be carried out: a descriptor may be heard again before the task has run, and more of a
 * payload would get in front of what has come before. */
static void conn_receive(struct nbd_conn *c)
{
	ssize_t n;

	if ((loop_task_queued(&c->input) || loop_timer_running(&c->again)) && !fault_strikes(PLANT_NBD_TWICE))
		return;
	n = c->state == NBD_S_PAYLOAD ? receive_payload(c) : receive_buffer(c);
	if (n == 0) {
		nbd_conn_gone(c, "left");
		return;
	}
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			nbd_conn_gone(c, strerror(errno));
		return;
	}
	c->win_in += (uint64_t)n;
	c->batch = (unsigned)(c->requests - c->batch_start);
	c->batch_start = c->requests;
	note_modest(c);
	nbd_conn_kick(c);
}

/* --- output ----------------------------------------------------------------------- */

void nbd_conn_put(struct nbd_conn *c, const void *data, size_t len)
{
	struct nbd_hs *hs = &c->hs;

	if (hs->out_start > 0) {
		memmove(hs->out, hs->out + hs->out_start, hs->out_end - hs->out_start);
		hs->out_end -= hs->out_start;
		hs->out_start = 0;
	}
	assert(len <= sizeof(hs->out) - hs->out_end);
	memcpy(hs->out + hs->out_end, data, len);
	hs->out_end += len;
	loop_task_queue(c->srv->loop, &c->output);
}

void nbd_conn_send(struct nbd_conn *c, struct nbd_slot *slot)
{
	assert(c->state != NBD_S_DEAD && slot != c->cur && !slot->in_lun);
	STAILQ_INSERT_TAIL(&c->out, slot, out);
	c->out_bytes += slot->hdr_len + slot->body_len;
	loop_task_queue(c->srv->loop, &c->output);
}

static unsigned gather(const struct nbd_conn *c, struct iovec *iov)
{
	const struct nbd_hs *hs = &c->hs;
	uint64_t skip = c->out_off;
	struct nbd_slot *slot;
	unsigned n = 0;

	if (c->carry_out) {
		iov[n].iov_base = c->carry_out + c->carry_out_off;
		iov[n++].iov_len = c->carry_out_len - c->carry_out_off;
	}
	if (hs->out_end > hs->out_start) {
		iov[n].iov_base = (void *)(uintptr_t)(hs->out + hs->out_start);
		iov[n++].iov_len = hs->out_end - hs->out_start;
	}
	STAILQ_FOREACH(slot, &c->out, out) {
		if (n + 2 > NBD_IOVS)
			break;
		if (skip < slot->hdr_len) {
			iov[n].iov_base = slot->hdr + skip;
			iov[n++].iov_len = slot->hdr_len - skip;
			skip = 0;
		} else {
			skip -= slot->hdr_len;
		}
		if (slot->body_len > 0) {
			iov[n].iov_base = (void *)((uintptr_t)slot->body + skip);
			iov[n++].iov_len = slot->body_len - skip;
		}
		skip = 0;
	}
	return n;
}

/* How many of @n bytes that were sent are of an earlier process. */
static uint64_t sent_carried(struct nbd_conn *c, uint64_t n)
{
	if (!c->carry_out)
		return 0;
	n = MIN(n, c->carry_out_len - c->carry_out_off);
	c->carry_out_off += n;
	c->out_bytes -= n;
	if (c->carry_out_off == c->carry_out_len) {
		free(c->carry_out);
		c->carry_out = NULL;
	}
	return n;
}

/* @n bytes have been taken by the socket. */
static void sent(struct nbd_conn *c, uint64_t n)
{
	struct nbd_slot *slot;
	uint64_t left;
	size_t hs;

	c->win_out += n;
	n -= sent_carried(c, n);
	hs = MIN(n, c->hs.out_end - c->hs.out_start);
	c->hs.out_start += hs;
	n -= hs;
	if (c->hs.out_start == c->hs.out_end)
		c->hs.out_start = c->hs.out_end = 0;
	while (n > 0) {
		slot = STAILQ_FIRST(&c->out);
		assert(slot);
		left = slot->hdr_len + slot->body_len - c->out_off;
		if (n < left && !fault_strikes(PLANT_NBD_SHORT)) {
			c->out_off += n;
			c->out_bytes -= n;
			break;
		}
		n -= MIN(n, left);
		c->out_bytes -= left;
		c->out_off = 0;
		STAILQ_REMOVE_HEAD(&c->out, out);
		nbd_slot_free(slot);
	}
	if (nbd_avail(c) > 0 || c->cur)
		nbd_conn_kick(c);
}

/* False: the connection is dead. */
static bool send_once(struct nbd_conn *c)
{
	struct iovec iov[NBD_IOVS];
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = gather(c, iov)};
	ssize_t n;

	if (msg.msg_iovlen == 0)
		return true;
	n = sendmsg(c->fd.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n >= 0) {
		sent(c, (uint64_t)n);
		return true;
	}
	if (errno == EAGAIN) {
		c->out_blocked = true;
		c->out_since_ns = loop_now_ns(c->srv->loop);
		nbd_patience_start(c);
		return true;
	}
	if (errno == EINTR)
		return true;
	nbd_conn_gone(c, strerror(errno));
	return false;
}

static void conn_output(struct nbd_conn *c)
{
	if (!c->out_blocked && !send_once(c))
		return;
	/* More than one sendmsg takes, or a short one: the others first. */
	if (has_output(c) && !c->out_blocked)
		loop_task_queue(c->srv->loop, &c->output);
	nbd_conn_try_close(c);
	nbd_conn_watch(c);
}

static void conn_output_task(struct loop_task *t)
{
	conn_output(container_of(t, struct nbd_conn, output));
}

static void conn_fd(struct loop_fd *f, int events)
{
	struct nbd_conn *c = container_of(f, struct nbd_conn, fd);

	if (events & LOOP_WRITE && c->out_blocked) {
		c->out_blocked = false;
		conn_output(c);
	}
	if (events & LOOP_READ && may_read(c))
		conn_receive(c);
	nbd_conn_watch(c);
}

/* --- patience --------------------------------------------------------------------- */

static void handshake_over(struct loop_timer *t)
{
	struct nbd_conn *c = container_of(t, struct nbd_conn, handshake);

	nbd_conn_cut(c, "the handshake was not finished in time");
}

/* The end of a window of conf.stall_ns. Two things may be slow:
 *   a payload  holds a buffer while it arrives: NBD_PAYLOAD_MIN_RATE at least
 *   replies    data that was read waits for the client to take it: nobody minds
 * That is while nobody waits for buffers and we need not close; else both must be
 * NBD_HURRY times as fast. */
#define NBD_HURRY 16

static void nbd_conn_stalled(struct loop_timer *t)
{
	struct nbd_conn *c = container_of(t, struct nbd_conn, stall);
	struct nbd_server *s = c->srv;
	uint64_t now = loop_now_ns(s->loop), window = s->conf.stall_ns;
	uint64_t min = (uint64_t)((unsigned __int128)NBD_PAYLOAD_MIN_RATE * window / NS_PER_SEC);
	bool in = in_payload(c->state), out = c->out_blocked;
	bool wanted = s->waiting > 0 || c->state == NBD_S_CLOSING;

	if (wanted)
		min *= NBD_HURRY;
	if (in && now - c->in_since_ns >= window && c->win_in < min) {
		nbd_conn_cut(c, "the data of a write comes too slowly");
		return;
	}
	if (out && wanted && now - c->out_since_ns >= window && c->win_out < min) {
		nbd_conn_cut(c, "it does not take its replies, and others wait for the buffers");
		return;
	}
	if (in || out)
		nbd_patience_start(c);
}

/* --- making one --------------------------------------------------------------------- */

struct nbd_conn *nbd_conn_alloc(struct nbd_server *s, int fd)
{
	struct nbd_conn *c = calloc(1, sizeof(*c));

	if (!c)
		goto fail;
	c->srv = s;
	c->rbuf = malloc(NBD_RBUF_BYTES);
	if (!c->rbuf || pool_init(&c->slots, sizeof(struct nbd_slot), NBD_CONN_REQS_MAX) < 0)
		goto fail;
	c->id = ++s->next_id;
	c->since_ns = loop_now_ns(s->loop);
	nbd_peer_name(fd, c->peer, sizeof(c->peer));
	TAILQ_INIT(&c->at_lun);
	STAILQ_INIT(&c->out);
	loop_fd_init(&c->fd, fd, conn_fd);
	loop_timer_init(&c->again, conn_again);
	loop_task_init(&c->input, LOOP_COLLECT, conn_input_task);
	loop_task_init(&c->output, LOOP_FLUSH, conn_output_task);
	loop_timer_init(&c->handshake, handshake_over);
	loop_timer_init(&c->stall, nbd_conn_stalled);
	return c;
fail:
	close(fd);
	if (c)
		free(c->rbuf);
	free(c);
	return NULL;
}

struct nbd_conn *nbd_conn_new(struct nbd_server *s, int fd)
{
	struct nbd_conn *c = nbd_conn_alloc(s, fd);

	if (!c)
		return NULL;
	loop_timer_in(s->loop, &c->handshake, s->conf.handshake_ns);
	nbd_hs_greet(c);
	nbd_conn_watch(c);
	return c;
}

struct nbd_conn *nbd_conn_new_attached(struct nbd_server *s, int fd, const char *peer)
{
	struct nbd_conn *c = nbd_conn_alloc(s, fd);

	if (!c)
		return NULL;
	snprintf(c->peer, sizeof(c->peer), "%s", peer);
	/* The device may have been set up by a predecessor, when the LUN could more, or less: all
	 * commands are taken, and the LUN says what it can do. */
	c->tx_flags = nbd_server_kernel_flags(s) | NBD_FLAG_SEND_TRIM | NBD_FLAG_SEND_WRITE_ZEROES;
	c->state = NBD_S_REQUEST;
	lun_client_join(s->lun, &c->client);
	nbd_conn_watch(c);
	return c;
}

void nbd_conn_free(struct nbd_conn *c)
{
	assert(c->state == NBD_S_DEAD && c->inflight == 0 && TAILQ_EMPTY(&c->at_lun));
	assert(c->held_bytes == 0 && c->own_reqs == 0 && c->own_bytes == 0);
	assert(c->common_reqs == 0 && c->common_bytes == 0);
	pool_fini(&c->slots);
	free(c);
}
