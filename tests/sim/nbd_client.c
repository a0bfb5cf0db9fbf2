/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nbd_client.c - life of a connection and of the server. See nbd_client.h. */
#include "nbd_client.h"

#include "answer.h"
#include "nbd_talk.h"
#include "wire.h"
#include "world.h"

#include "base/units.h"
#include "export/nbd_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A client that found no server, or no room there. */
#define CONNECT_AGAIN_NS (10 * NS_PER_MS)

/* --- whom core takes it for ------------------------------------------------------------- */

/* Other clients are away, too: what one of them is owed the other may be told. */
static bool others_are_away(const struct client *c)
{
	for (unsigned i = 0; i <= SIM_CLIENTS_MAX; i++) {
		const struct client *o = &c->w->clients.client[i];

		if (o != c && o->nbd.away)
			return true;
	}
	return false;
}

static void mix_those_away(struct world *w)
{
	for (unsigned i = 0; i <= SIM_CLIENTS_MAX; i++)
		w->clients.client[i].nbd.mixed |= w->clients.client[i].nbd.away;
}

static void forget_debts(struct client *c)
{
	oracle_inherited(&c->w->oracle, c->id);
	c->told_since = 0;
}

void nbd_client_joined(struct wire *wire)
{
	struct client *c = wire->client;

	c->nbd.mixed |= c->w->clients.adrift;
	if (others_are_away(c)) {
		c->nbd.mixed = true;
		mix_those_away(c->w);
	}
	answer_joined(c);
	if (c->nbd.mixed)
		forget_debts(c);
	c->nbd.away = c->nbd.mixed = false;
	c->nbd.joined = true;
}

static void left(struct wire *wire)
{
	struct client *c = wire->client;

	c->w->acked_ns = world_now_ns(c->w);
	oracle_client_left(&c->w->oracle, c->id);
	/* It is back already, by another connection that knows nothing of this one: whoever comes next, and be it
	 * long after, is told instead. */
	if (c->nbd.wire && c->nbd.wire != wire && c->nbd.wire->joined) {
		c->w->clients.adrift = true;
		forget_debts(c);
		mix_those_away(c->w);
		return;
	}
	c->nbd.joined = false;
	c->nbd.away = true;
}

/* --- coming and going -------------------------------------------------------------------- */

static uint64_t lag_ns(struct client *c)
{
	struct nbd_client *n = &c->nbd;

	if (!n->slow || c->w->phase != WP_LOAD)
		return draw(&n->prng, 1, 20) * NS_PER_US;
	return draw(&n->prng, 1, draw_pct(&n->prng, 2) ? 200000 : 200) * NS_PER_US;
}

static size_t piece(struct client *c, size_t most)
{
	struct nbd_client *n = &c->nbd;

	return n->slow && most > 1 && draw_pct(&n->prng, 30) ? (size_t)draw(&n->prng, 1, MIN(most, 64u)) : most;
}

static void tx_due(struct loop_timer *t)
{
	struct client *c = container_of(t, struct client, nbd.tx);
	struct wire *wire = c->nbd.wire;

	wire->in_seen += piece(c, wire->in_len - wire->in_seen);
	if (wire->in_seen < wire->in_len)
		loop_timer_in(c->w->loop, t, lag_ns(c));
}

void nbd_client_write(struct client *c, const void *data, size_t len)
{
	if (len)
		wire_write(c->nbd.wire, data, len);
	if (!loop_timer_running(&c->nbd.tx))
		loop_timer_in(c->w->loop, &c->nbd.tx, lag_ns(c));
}

static void end_wire(struct client *c, bool reset)
{
	struct nbd_client *n = &c->nbd;
	struct wire *wire = n->wire;

	/* What has been sent to it counts as told, read or not. */
	n->deaf = true;
	talk_read(c, wire->out + wire->out_off, wire->out_len - wire->out_off);
	n->deaf = false;
	n->wire = NULL;
	n->state = NC_AWAY;
	n->msg_off = n->msg_len = 0;
	loop_timer_stop(c->w->loop, &n->tx);
	loop_timer_stop(c->w->loop, &n->rx);
	wire_leave(wire, reset);
	client_lost(c);
}

/* All that was asked for before DISC is answered, unless the server had to end it otherwise. */
static void check_bye(struct client *c)
{
	struct nbd_server_stats st;

	nbd_server_get_stats(c->w->nbd, &st);
	if (c->nbd.state != NC_BYE || c->w->stop_asked || st.cut != c->nbd.ncut)
		return;
	for (unsigned k = 0; k < SIM_IODEPTH_MAX; k++)
		if (c->ops[k].cookie)
			world_fail(c->w, "O5", "client %u took its leave, and operation %u was not answered", c->id,
				   c->ops[k].id);
}

static void rx_due(struct loop_timer *t)
{
	struct client *c = container_of(t, struct client, nbd.rx);
	struct nbd_client *n = &c->nbd;
	struct wire *wire = n->wire;
	size_t len = piece(c, wire->out_len - wire->out_off);

	wire->out_off += len;
	talk_read(c, wire->out + wire->out_off - len, len);
	if (n->wire != wire)
		return;
	if (wire->out_off < wire->out_len) {
		loop_timer_in(c->w->loop, t, lag_ns(c));
	} else if (wire->server_left) {
		check_bye(c);
		end_wire(c, false);
		nbd_client_connect(c);
	}
}

void nbd_client_wakes(struct client *c)
{
	if (c->nbd.wire && !loop_timer_running(&c->nbd.rx))
		loop_timer_in(c->w->loop, &c->nbd.rx, lag_ns(c));
}

void nbd_client_closed(struct wire *wire)
{
	wire->watch = NULL;
	if (wire->joined)
		left(wire);
	wire->joined = false;
	if (wire->client->nbd.wire == wire)
		nbd_client_wakes(wire->client);
}

static void kernel_gone(void *arg, bool bye)
{
}

static struct nbd_conn *conn_of(struct nbd_server *srv, int fd)
{
	struct nbd_conn *c;

	TAILQ_FOREACH (c, &srv->conns, link)
		if (c->fd.fd == fd)
			return c;
	assert(!"a connection that was taken is there");
	return NULL;
}

static void connect_due(struct loop_timer *t)
{
	struct client *c = container_of(t, struct client, nbd.connect);
	struct nbd_client *n = &c->nbd;
	struct nbd_server *srv = c->w->nbd;
	struct wire *wire;
	int r = -1;

	if (c->w->stop_asked)
		return;
	wire = wire_new(c, n->out_room);
	if (wire)
		r = n->attached ? nbd_server_attach(srv, wire->fd, "kernel", kernel_gone, NULL) :
				  nbd_server_add(srv, wire->fd);
	if (r < 0) {
		if (wire)
			wire_leave(wire, false);
		loop_timer_in(c->w->loop, t, CONNECT_AGAIN_NS);
		return;
	}
	wire->watch = &conn_of(srv, wire->fd)->fd;
	n->wire = wire;
	n->state = NC_GREETING;
	if (n->attached)
		talk_up(c);
	nbd_client_wakes(c);
}

void nbd_client_connect(struct client *c)
{
	if (!c->w->stop_asked)
		loop_timer_in(c->w->loop, &c->nbd.connect, draw(&c->nbd.prng, 0, draw_pct(&c->nbd.prng, 80) ? 100 : 50000) * NS_PER_US);
}

void nbd_client_drop(struct client *c)
{
	struct nbd_client *n = &c->nbd;
	struct nbd_server_stats st;

	if (n->state == NC_AWAY || n->state == NC_RUDE || n->state == NC_BYE)
		return;
	if (n->state == NC_UP && n->rude && draw_pct(&n->rudeness, 30)) {
		talk_rubbish(c);
		return;
	}
	if (n->state == NC_UP && draw_pct(&n->prng, 40)) {
		nbd_server_get_stats(c->w->nbd, &st);
		n->ncut = st.cut;
		talk_bye(c);
		return;
	}
	end_wire(c, draw_pct(&n->prng, 50));
	nbd_client_connect(c);
}

static void drop_due(struct loop_timer *t)
{
	nbd_client_drop(container_of(t, struct client, nbd.drop));
}

void nbd_client_is_full(struct client *c)
{
	struct nbd_client *n = &c->nbd;

	if (c->w->cfg.rate[SF_RECONNECT] && c->w->phase == WP_LOAD && !loop_timer_running(&n->drop) && draw_pct(&n->prng, 10))
		loop_timer_in(c->w->loop, &n->drop, draw(&n->prng, 0, 20) * NS_PER_US);
}

bool nbd_client_is_up(const struct client *c)
{
	return c->nbd.state == NC_UP;
}

static void init_timers(struct nbd_client *n)
{
	loop_timer_init(&n->connect, connect_due);
	loop_timer_init(&n->tx, tx_due);
	loop_timer_init(&n->rx, rx_due);
	loop_timer_init(&n->drop, drop_due);
}

/* By an export its data are the client's own. */
static void make_buffers(struct client *c)
{
	uint32_t bytes = (OP_CELLS_MAX + 16) * CELL_BYTES;

	for (unsigned k = 0; k < SIM_IODEPTH_MAX; k++) {
		c->ops[k].data = malloc(bytes);
		assert(c->ops[k].data);
	}
}

void nbd_client_init(struct client *c)
{
	struct nbd_client *n = &c->nbd;

	init_timers(n);
	if (c->w->opt->nbd || c->w->opt->fuse)
		make_buffers(c);
	if (!c->w->opt->nbd)
		return;
	prng_init(&n->prng, c->w->seed, ENT_WIRE + c->id);
	prng_init(&n->rudeness, c->w->seed, ENT_RUDE + c->id);
	n->attached = draw_pct(&n->prng, 25);
	n->rude = !n->attached && draw_pct(&n->rudeness, 20);
	n->structured = !n->attached && draw_pct(&n->prng, 70);
	n->meta = n->structured && draw_pct(&n->prng, 70);
	n->legacy = !n->meta && draw_pct(&n->prng, 20);
	n->zeroes = draw_pct(&n->prng, 30);
	n->blocks = !n->attached && !n->legacy && draw_pct(&n->prng, 50);
	n->slow = draw_pct(&n->prng, 30);
	n->out_room = draw_pct(&n->prng, 50) ? MIB : (size_t)draw(&n->prng, 64, draw_pct(&n->prng, 50) ? 256 : 64 * KIB);
	n->msg_cap = 4 * KIB;
	n->msg = malloc(n->msg_cap);
	assert(n->msg);
}

void nbd_client_fini(struct client *c)
{
	if (!c->w->opt->nbd && !c->w->opt->fuse)
		return;
	for (unsigned k = 0; k < SIM_IODEPTH_MAX; k++)
		free(c->ops[k].data);
	free(c->nbd.msg);
}

void nbd_client_killed(struct client *c)
{
	struct nbd_client *n = &c->nbd;

	init_timers(n);
	n->wire = NULL;
	n->state = NC_AWAY;
	n->msg_off = n->msg_len = 0;
	n->away = n->joined = false;
}

/* --- the server ------------------------------------------------------------------------------ */

void nbd_world_start(struct world *w)
{
	struct nbd_conf conf;
	int r;

	if (!w->opt->nbd)
		return;
	nbd_conf_default(&conf);
	strcpy(conf.export_name, TALK_EXPORT);
	conf.max_conns = 2 * (SIM_CLIENTS_MAX + 1);
	r = nbd_server_new(w->loop, w->lun, &conf, &w->nbd);
	assert(r == 0);
}

/* There is a debt for each that the dead process knew: if all were there, whoever comes first takes
 * nothing from another. */
static void mix_if_any_is_away(struct world *w)
{
	bool all = true;

	for (unsigned i = 0; i <= SIM_CLIENTS_MAX; i++)
		all &= w->clients.client[i].nbd.joined || (i >= w->cfg.nclients && i < SIM_CLIENTS_MAX);
	for (unsigned i = 0; i <= SIM_CLIENTS_MAX; i++)
		w->clients.client[i].nbd.mixed |= !all;
}

/* What a dead process held. */
void nbd_world_killed(struct world *w)
{
	struct nbd_conn *c;

	if (!w->nbd)
		return;
	mix_if_any_is_away(w);
	while ((c = TAILQ_FIRST(&w->nbd->conns))) {
		TAILQ_REMOVE(&w->nbd->conns, c, link);
		pool_drop(&c->slots);
		free(c->rbuf);
		free(c);
	}
	free(w->nbd);
	w->nbd = NULL;
	wires_killed();
}

void nbd_world_stop(struct world *w)
{
	if (w->nbd)
		nbd_server_stop(w->nbd);
}

bool nbd_world_stopped(const struct world *w)
{
	return !w->nbd || nbd_server_stopped(w->nbd);
}

void nbd_world_fini(struct world *w)
{
	nbd_server_free(w->nbd);
	w->nbd = NULL;
	wires_killed();
}
