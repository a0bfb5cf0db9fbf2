/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_server.c - life of the server, its clients, and how they share the
 * LUN's requests and buffers.
 *
 * Shares: each connection may always hold a small share of its own (all of
 * them together a quarter).  Beyond that it takes from a common part (five
 * eighths), but never more than COMMON_PER_FREE times what would be left there:
 * when a few hold all they can there is something for the next one.  (Choudhury
 * and Hahne: Dynamic queue length thresholds for shared-memory packet switches,
 * IEEE/ACM Transactions on Networking 6(2), 1998.)  Who waits stands in a line.
 * The last eighth is left to other exports.
 *
 * So clients that hold buffers and do not move - they read no replies, they
 * send half a payload - slow nobody's small requests down; and as soon as
 * somebody waits for the common part they are cut (nbd_conn.c, patience).
 */
#include <config.h>

#include "export/nbd_int.h"

#include "base/fault.h"
#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMON_PER_FREE 4u /* a lone connection gets 4/5 */
#define NOISE_LINES 20u
#define NOISE_INTERVAL_NS (10 * NS_PER_SEC)

void nbd_conf_default(struct nbd_conf *conf)
{
	memset(conf, 0, sizeof(*conf));
	conf->unix_mode = 0660;
	conf->tcp_port = NBD_DEFAULT_PORT;
	conf->max_conns = NBD_CONNS_MAX;
	conf->handshake_ns = NBD_HANDSHAKE_SEC * NS_PER_SEC;
	conf->stall_ns = 10 * NS_PER_SEC;
	conf->multi_conn = true;
	conf->unix_fd = conf->tcp_fd = -1;
}

void nbd_noise(struct nbd_server *s, enum log_level level, const char *fmt, ...)
{
	char line[512];
	unsigned missed;
	va_list ap;

	if (!log_allow(&s->noise, loop_now_ns(s->loop), NOISE_LINES, NOISE_INTERVAL_NS, &missed))
		return;
	if (missed > 0)
		log_notice("nbd: %u messages about clients were held back", missed);
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_msg(level, "%s", line);
}

/* --- shares --------------------------------------------------------------------------- */

static void set_shares(struct nbd_server *s)
{
	const struct lun_params *p = lun_params(s->lun);

	/* One more: the kernel's, which max_conns does not count. */
	s->own_bytes_max = p->buffer_bytes / 4 / (s->conf.max_conns + 1);
	s->own_reqs_max = MAX(p->max_reqs / 4 / (s->conf.max_conns + 1), 1u);
	s->common_bytes_max = p->buffer_bytes / 8 * 5;
	s->common_reqs_max = MAX(p->max_reqs / 8 * 5, 1u);
}

void nbd_server_set_limits(struct nbd_server *s, unsigned max_conns, uint64_t handshake_ns)
{
	assert(max_conns >= 1 && max_conns <= NBD_CONNS_MAX && handshake_ns > 0);
	s->conf.max_conns = max_conns;
	s->conf.handshake_ns = handshake_ns;
	set_shares(s);
}

static bool fits_own(const struct nbd_slot *slot)
{
	const struct nbd_conn *c = slot->conn;
	const struct nbd_server *s = c->srv;

	return c->own_bytes + slot->charge_bytes <= s->own_bytes_max &&
	       c->own_reqs + slot->charge_reqs <= s->own_reqs_max;
}

/* @held: of the @used of @max, by one connection, which wants @more of it. */
static bool has_part(uint64_t held, uint64_t used, uint64_t max, uint64_t more)
{
	if (used == 0 || more == 0) /* what is larger than all of it may have it alone */
		return true;
	if (used + more > max)
		return false;
	/* Who holds nothing needs no more than that there is room. */
	return held == 0 || held + more <= COMMON_PER_FREE * (max - used - more);
}

static bool fits_common(const struct nbd_slot *slot)
{
	const struct nbd_conn *c = slot->conn;
	const struct nbd_server *s = c->srv;

	return has_part(c->common_bytes, s->common_bytes, s->common_bytes_max, slot->charge_bytes) &&
	       has_part(c->common_reqs, s->common_reqs, s->common_reqs_max, slot->charge_reqs);
}

/* Does it have nothing of what it waits for? Nobody takes that before it. Others wait for what they themselves have
 * taken, or for their own answers to be read. */
static bool is_owed(const struct nbd_conn *c)
{
	return c->common_reqs == 0 && !c->out_blocked;
}

static bool line_is_owed(const struct nbd_server *s)
{
	const struct nbd_conn *c;

	TAILQ_FOREACH (c, &s->line, line)
		if (is_owed(c))
			return true;
	return false;
}

static void count_in(struct nbd_slot *slot, bool common)
{
	struct nbd_conn *c = slot->conn;

	slot->charged = true;
	slot->common = common;
	c->held_bytes += slot->charge_bytes;
	if (common) {
		c->common_bytes += slot->charge_bytes;
		c->common_reqs += slot->charge_reqs;
		c->srv->common_bytes += slot->charge_bytes;
		c->srv->common_reqs += slot->charge_reqs;
	} else {
		c->own_bytes += slot->charge_bytes;
		c->own_reqs += slot->charge_reqs;
	}
}

void nbd_price(struct nbd_slot *slot)
{
	slot->charge_bytes = io_buffer_bytes(&slot->conn->srv->dev, &slot->io);
	slot->charge_reqs = slot->io.op == IO_WRITE_ZEROES ? IO_NREQS : 1;
}

bool nbd_charge(struct nbd_slot *slot)
{
	struct nbd_server *s = slot->conn->srv;

	assert(!slot->charged);
	if (fits_own(slot))
		count_in(slot, false);
	else if (fits_common(slot) && !line_is_owed(s))
		count_in(slot, true);
	return slot->charged;
}

void nbd_uncharge(struct nbd_slot *slot)
{
	struct nbd_conn *c = slot->conn;
	struct nbd_server *s = c->srv;

	if (!slot->charged)
		return;
	slot->charged = false;
	assert(c->held_bytes >= slot->charge_bytes);
	c->held_bytes -= slot->charge_bytes;
	if (slot->common) {
		assert(s->common_bytes >= c->common_bytes && s->common_reqs >= c->common_reqs);
		assert(c->common_bytes >= slot->charge_bytes && c->common_reqs >= slot->charge_reqs);
		c->common_bytes -= slot->charge_bytes;
		c->common_reqs -= slot->charge_reqs;
		s->common_bytes -= slot->charge_bytes;
		s->common_reqs -= slot->charge_reqs;
	} else {
		assert(c->own_bytes >= slot->charge_bytes && c->own_reqs >= slot->charge_reqs);
		c->own_bytes -= slot->charge_bytes;
		c->own_reqs -= slot->charge_reqs;
	}
	if (!TAILQ_EMPTY(&s->line))
		loop_task_queue(s->loop, &s->line_task);
	if (c->cur)
		nbd_conn_kick(c);
}

/* Something was given back: serve the line in its order. Somebody further back may go on with what is his own, but
 * nobody takes from the common part before one that is owed some. */
static void line_task(struct loop_task *t)
{
	struct nbd_server *s = container_of(t, struct nbd_server, line_task);
	bool common_ok = true;
	struct nbd_conn *c, *next;

	TAILQ_FOREACH_SAFE(c, &s->line, line, next) {
		struct nbd_slot *slot = c->cur;

		if (fits_own(slot)) {
			count_in(slot, false);
		} else if (common_ok && fits_common(slot)) {
			count_in(slot, true);
		} else {
			common_ok &= !is_owed(c);
			continue;
		}
		nbd_conn_event(c, NBD_E_QUOTA);
		if (!fault_strikes(PLANT_NBD_KICK))
			nbd_conn_kick(c);
	}
}

/* --- clients ---------------------------------------------------------------------------- */

uint16_t nbd_server_flags(const struct nbd_server *s, bool structured)
{
	unsigned flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA |
			 NBD_FLAG_SEND_CACHE;
	const struct lun_geometry *geo = &s->dev.geo;

	if (s->conf.multi_conn)
		flags |= NBD_FLAG_CAN_MULTI_CONN;
	if (structured)
		flags |= NBD_FLAG_SEND_DF;
	if (geo->rotational)
		flags |= NBD_FLAG_ROTATIONAL;
	if (geo->read_only)
		return (uint16_t)(flags | NBD_FLAG_READ_ONLY);
	if (geo->can_discard)
		flags |= NBD_FLAG_SEND_TRIM;
	if (geo->can_zero)
		flags |= NBD_FLAG_SEND_WRITE_ZEROES;
	if (geo->can_zero && geo->can_fast_zero)
		flags |= NBD_FLAG_SEND_FAST_ZERO;
	return (uint16_t)flags;
}

static int server_open(const struct nbd_server *s)
{
	if (s->state != NBD_SRV_UP)
		return -ESHUTDOWN;
	return s->ready ? 0 : -EAGAIN;
}

static int server_refuse(struct nbd_server *s, int fd, int r)
{
	s->stats.refused++;
	if (r == -ENOSPC)
		nbd_noise(s, LOG_L_WARN, "nbd: client refused: %u are connected, the most that "
			  "max_connections allows", s->nclients);
	close(fd);
	return r;
}

/*
 * Before a new one is taken: a client that has closed a connection may come back by another, ask for
 * the same again, and then for something newer.  What it had asked for by the old one, and we have not
 * carried out, must not come after that; and what it is still to be told it is told there.  The end of a connection is seen by reading all that
 * is before it, which may have to wait: so it is looked for.
 */
static void bury_those_who_left(struct nbd_server *s)
{
	struct pollfd fds[32];
	struct nbd_conn *c, *conns[ARRAY_SIZE(fds)];
	unsigned n = 0;

	TAILQ_FOREACH(c, &s->conns, link) {
		if (c->state != NBD_S_DEAD && c->state != NBD_S_CLOSING) {
			conns[n] = c;
			fds[n++] = (struct pollfd){.fd = c->fd.fd, .events = POLLRDHUP};
		}
		if (n < ARRAY_SIZE(fds) && TAILQ_NEXT(c, link))
			continue;
		if (n > 0 && poll(fds, n, 0) > 0)
			for (unsigned i = 0; i < n; i++)
				if (fds[i].revents)
					nbd_conn_gone(conns[i], "left");
		n = 0;
	}
}

int nbd_server_welcome(struct nbd_server *s, struct nbd_conn *c)
{
	if (!c) {
		s->stats.refused++;
		nbd_noise(s, LOG_L_WARN, "nbd: client refused: out of memory");
		return -ENOMEM;
	}
	s->stats.accepted++;
	s->nclients++;
	TAILQ_INSERT_TAIL(&s->conns, c, link);
	log_debug("nbd: client %llu (%s) connected", (unsigned long long)c->id, c->peer);
	return 0;
}

int nbd_server_add(struct nbd_server *s, int fd)
{
	int r = server_open(s);

	bury_those_who_left(s);
	/* Dead ones are few (each has a request at the LUN), but a storm of reconnections to a
	 * LUN that hangs must end somewhere. */
	if (r == 0 && (s->nclients >= s->conf.max_conns || s->ndead >= 4 * s->conf.max_conns))
		r = -ENOSPC;
	if (r < 0)
		return server_refuse(s, fd, r);
	return nbd_server_welcome(s, nbd_conn_new(s, fd));
}

uint16_t nbd_server_kernel_flags(const struct nbd_server *s)
{
	return nbd_server_flags(s, false);
}

int nbd_server_attach(struct nbd_server *s, int fd, const char *peer,
		      void (*gone)(void *arg, bool bye), void *arg)
{
	struct nbd_conn *c;
	int r = server_open(s);

	if (r < 0)
		return server_refuse(s, fd, r);
	bury_those_who_left(s);
	nbd_tune_client(fd);
	c = nbd_conn_new_attached(s, fd, peer);
	r = nbd_server_welcome(s, c);
	if (r < 0)
		return r;
	c->gone = gone;
	c->gone_arg = arg;
	return 0;
}

void nbd_server_conn_dead(struct nbd_conn *c)
{
	struct nbd_server *s = c->srv;

	assert(s->nclients > 0);
	s->nclients--;
	s->ndead++;
	if (c->inflight == 0)
		nbd_server_reap(s);
}

void nbd_server_reap(struct nbd_server *s)
{
	loop_task_queue(s->loop, &s->reap_task);
}

static void reap_task(struct loop_task *t)
{
	struct nbd_server *s = container_of(t, struct nbd_server, reap_task);
	struct nbd_conn *c, *next;

	TAILQ_FOREACH_SAFE(c, &s->conns, link, next) {
		if (c->state != NBD_S_DEAD || c->inflight > 0)
			continue;
		TAILQ_REMOVE(&s->conns, c, link);
		s->ndead--;
		nbd_conn_free(c);
	}
	if (s->state != NBD_SRV_STOPPING || !TAILQ_EMPTY(&s->conns))
		return;
	assert(s->common_bytes == 0 && s->common_reqs == 0 && s->waiting == 0);
	s->state = NBD_SRV_STOPPED;
	if (s->conf.stopped)
		s->conf.stopped(s->conf.arg);
}

bool nbd_server_next_client(const struct nbd_server *s, uint64_t *cursor,
			    struct nbd_client_info *ret)
{
	const struct nbd_conn *c;

	TAILQ_FOREACH(c, &s->conns, link)
		if (c->id > *cursor)
			break;
	if (!c)
		return false;
	*cursor = c->id;
	memset(ret, 0, sizeof(*ret));
	ret->id = c->id;
	memcpy(ret->peer, c->peer, sizeof(ret->peer));
	ret->state = nbd_state_names[c->state];
	ret->dead = c->state == NBD_S_DEAD;
	ret->since_ns = c->since_ns;
	ret->requests = c->requests;
	ret->errors = c->errors;
	ret->bytes_read = c->bytes_read;
	ret->bytes_written = c->bytes_written;
	ret->inflight = c->inflight;
	ret->buffer_bytes = c->held_bytes;
	ret->unsent_bytes = c->out_bytes;
	ret->unaligned = c->unaligned;
	ret->structured = c->hs.structured;
	ret->metadata = c->meta;
	return true;
}

void nbd_server_get_stats(const struct nbd_server *s, struct nbd_server_stats *ret)
{
	const struct nbd_conn *c;

	*ret = s->stats;
	ret->clients = s->nclients;
	TAILQ_FOREACH(c, &s->conns, link)
		if (c->state == NBD_S_DEAD)
			ret->orphans += c->inflight;
}

/* --- life ---------------------------------------------------------------------------------- */

/* The geometry is known, or this was not yet it. */
static void try_ready(struct nbd_server *s)
{
	int r = io_dev_init(&s->dev, s->lun);

	if (r == -EAGAIN)
		return;
	if (r < 0) {
		if (s->observing)
			lun_unobserve(s->lun, &s->observer);
		s->observing = false;
		log_err("nbd: %s: blocks of %u bytes or %llu of them cannot be exported",
			s->conf.export_name, s->dev.geo.block_bytes,
			(unsigned long long)s->dev.geo.nblocks);
		return;
	}
	set_shares(s);
	s->ready = true;
	nbd_carried_check(s);
	nbd_server_thaw(s);
}

static void lun_changed(struct lun_observer *o, struct lun *lun)
{
	struct nbd_server *s = container_of(o, struct nbd_server, observer);

	if (!s->ready && s->state == NBD_SRV_UP)
		try_ready(s);
	/* The protocol has no word for it: who connects from now on is told the new size, and who is
	 * connected may use it. */
	else if (s->ready)
		io_dev_grow(&s->dev);
}

static int check_conf(const struct nbd_conf *conf)
{
	if (conf->max_conns < 1 || conf->max_conns > NBD_CONNS_MAX) {
		log_err("nbd: %u connections: the limit must be from 1 to %u", conf->max_conns,
			NBD_CONNS_MAX);
		return -EINVAL;
	}
	if (conf->handshake_ns == 0 || conf->stall_ns == 0 || conf->export_name[0] == '\0') {
		log_err("nbd: an export needs a name, and times above zero");
		return -EINVAL;
	}
	return 0;
}

int nbd_server_new(struct loop *l, struct lun *lun, const struct nbd_conf *conf,
		   struct nbd_server **ret)
{
	struct nbd_server *s;
	int r = check_conf(conf);

	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->loop = l;
	s->lun = lun;
	s->conf = *conf;
	TAILQ_INIT(&s->conns);
	TAILQ_INIT(&s->line);
	loop_task_init(&s->line_task, LOOP_COLLECT, line_task);
	loop_task_init(&s->reap_task, LOOP_COLLECT, reap_task);
	loop_timer_init(&s->accept_again, nbd_accept_again);
	r = nbd_listen_open(s);
	if (r < 0) {
		nbd_listen_close(s);
		free(s);
		return r;
	}
	s->observer.changed = lun_changed;
	s->frozen = true; /* until it is ready */
	lun_observe(lun, &s->observer);
	s->observing = true;
	try_ready(s);
	*ret = s;
	return 0;
}

void nbd_server_stop(struct nbd_server *s)
{
	struct nbd_conn *c;

	if (s->state != NBD_SRV_UP)
		return;
	s->state = NBD_SRV_STOPPING;
	if (s->observing)
		lun_unobserve(s->lun, &s->observer);
	s->observing = false;
	nbd_listen_close(s);
	TAILQ_FOREACH(c, &s->conns, link)
		if (c->state != NBD_S_DEAD)
			nbd_conn_event(c, NBD_E_FINISH);
	nbd_server_reap(s);
}

bool nbd_server_stopped(const struct nbd_server *s)
{
	return s->state == NBD_SRV_STOPPED;
}

void nbd_server_free(struct nbd_server *s)
{
	if (!s)
		return;
	assert(s->state == NBD_SRV_STOPPED && TAILQ_EMPTY(&s->conns) && TAILQ_EMPTY(&s->line));
	loop_task_cancel(s->loop, &s->line_task);
	loop_task_cancel(s->loop, &s->reap_task);
	free(s);
}
