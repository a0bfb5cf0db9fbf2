/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_handshake.c - fixed newstyle negotiation, from the greeting to GO.
 *
 * An option is looked at when all of it is in the read buffer, and only while
 * there is room for the longest answer: a client that does not read its answers
 * stops being read itself.  Whatever an option contains, the next one parses.
 */
#include <config.h>

#include "export/nbd_int.h"

#include "base/bytes.h"
#include "base/units.h"

#include <assert.h>
#include <string.h>

/* A part of an option's data that has not been read yet. */
struct opt_data {
	const uint8_t *p;
	size_t left;
};

static bool take(struct opt_data *d, size_t n, const uint8_t **ret)
{
	if (n > d->left)
		return false;
	*ret = d->p;
	d->p += n;
	d->left -= n;
	return true;
}

static bool take_be16(struct opt_data *d, uint16_t *ret)
{
	const uint8_t *p;

	if (!take(d, 2, &p))
		return false;
	*ret = get_be16(p);
	return true;
}

static bool take_be32(struct opt_data *d, uint32_t *ret)
{
	const uint8_t *p;

	if (!take(d, 4, &p))
		return false;
	*ret = get_be32(p);
	return true;
}

/* u32 length and that many bytes: at most NBD_STRING_MAX, no NUL inside. */
static bool take_string(struct opt_data *d, const uint8_t **ret, uint32_t *ret_len)
{
	uint32_t len;

	if (!take_be32(d, &len) || len > NBD_STRING_MAX || !take(d, len, ret))
		return false;
	*ret_len = len;
	return len == 0 || memchr(*ret, '\0', len) == NULL;
}

/* --- answers ---------------------------------------------------------------------- */

static void put_reply_head(struct nbd_conn *c, uint32_t type, uint32_t len)
{
	struct nbd_option_reply r;

	put_be64(&r.magic, NBD_REP_MAGIC);
	put_be32(&r.opt, c->hs.opt);
	put_be32(&r.type, type);
	put_be32(&r.len, len);
	nbd_conn_put(c, &r, sizeof(r));
}

static void put_ack(struct nbd_conn *c)
{
	put_reply_head(c, NBD_REP_ACK, 0);
}

/* nbd-client prints the text and cuts its last byte; it is kept short and ends in a full stop. */
static void put_error(struct nbd_conn *c, uint32_t type, const char *text)
{
	put_reply_head(c, type, (uint32_t)strlen(text));
	nbd_conn_put(c, text, strlen(text));
	log_debug("nbd: client %llu (%s): option %u refused: %s", (unsigned long long)c->id,
		  c->peer, c->hs.opt, text);
}

static void put_be16_to(struct nbd_conn *c, uint16_t v)
{
	uint8_t b[2];

	put_be16(b, v);
	nbd_conn_put(c, b, sizeof(b));
}

static void put_be32_to(struct nbd_conn *c, uint32_t v)
{
	uint8_t b[4];

	put_be32(b, v);
	nbd_conn_put(c, b, sizeof(b));
}

/* --- the export --------------------------------------------------------------------- */

/* 0: not ours; 1: by the empty name; 2: by its own. */
static int name_matches(const struct nbd_conn *c, const uint8_t *name, uint32_t len)
{
	const char *ours = c->srv->conf.export_name;

	if (len == strlen(ours) && memcmp(name, ours, len) == 0)
		return 2;
	return len == 0 ? 1 : 0;
}

static void begin_transmission(struct nbd_conn *c, int matched)
{
	c->tx_flags = nbd_server_flags(c->srv, c->hs.structured);
	c->meta = c->hs.meta_for == matched;
	nbd_noise(c->srv, LOG_L_INFO, "nbd: client %llu (%s) uses the export%s%s",
		  (unsigned long long)c->id, c->peer, c->hs.structured ? ", structured replies" : "",
		  c->meta ? ", " NBD_CONTEXT_BASE_ALLOCATION : "");
	lun_event(c->srv->lun, EVENT_CLIENT, c->peer, "", "connected", "NBD");
	nbd_conn_event(c, NBD_E_EXPORT);
	lun_client_join(c->srv->lun, &c->client);
}

static void opt_export_name(struct nbd_conn *c, struct opt_data *d)
{
	uint16_t flags = nbd_server_flags(c->srv, c->hs.structured);
	int matched = d->left <= NBD_STRING_MAX ? name_matches(c, d->p, (uint32_t)d->left) : 0;
	struct nbd_export_reply r = {0};

	if (!matched) {
		nbd_conn_cut(c, "EXPORT_NAME asks for an export that does not exist");
		return;
	}
	put_be64(&r.size, c->srv->dev.size_bytes);
	put_be16(&r.flags, flags);
	nbd_conn_put(c, &r, c->hs.no_zeroes ? sizeof(r) - sizeof(r.zeroes) : sizeof(r));
	begin_transmission(c, matched);
}

/* --- INFO and GO --------------------------------------------------------------------- */

#define INFO_BIT(n) (1u << (n))

static void put_infos(struct nbd_conn *c, unsigned wanted)
{
	const struct nbd_server *s = c->srv;
	uint32_t name_len = (uint32_t)strlen(s->conf.export_name);
	uint32_t text_len = (uint32_t)strlen(s->conf.description);
	struct nbd_info_export e;
	struct nbd_info_block_size b;

	put_be16(&e.type, NBD_INFO_EXPORT);
	put_be64(&e.size, s->dev.size_bytes);
	put_be16(&e.flags, nbd_server_flags(s, c->hs.structured));
	put_reply_head(c, NBD_REP_INFO, sizeof(e));
	nbd_conn_put(c, &e, sizeof(e));
	if (wanted & INFO_BIT(NBD_INFO_NAME)) {
		put_reply_head(c, NBD_REP_INFO, 2 + name_len);
		put_be16_to(c, NBD_INFO_NAME);
		nbd_conn_put(c, s->conf.export_name, name_len);
	}
	if (wanted & INFO_BIT(NBD_INFO_DESCRIPTION)) {
		put_reply_head(c, NBD_REP_INFO, 2 + text_len);
		put_be16_to(c, NBD_INFO_DESCRIPTION);
		nbd_conn_put(c, s->conf.description, text_len);
	}
	if (wanted & INFO_BIT(NBD_INFO_BLOCK_SIZE)) {
		put_be16(&b.type, NBD_INFO_BLOCK_SIZE);
		put_be32(&b.minimum, s->dev.block_bytes);
		put_be32(&b.preferred, MAX(MAX(s->dev.block_bytes, s->dev.geo.phys_block_bytes), 4096u));
		put_be32(&b.maximum, REQ_BYTES_MAX);
		put_reply_head(c, NBD_REP_INFO, sizeof(b));
		nbd_conn_put(c, &b, sizeof(b));
	}
}

static void opt_info(struct nbd_conn *c, struct opt_data *d)
{
	const uint8_t *name;
	uint32_t len;
	uint16_t n, type;
	unsigned wanted = 0;
	int matched;

	if (!take_string(d, &name, &len) || !take_be16(d, &n) || d->left != 2u * n) {
		put_error(c, NBD_REP_ERR_INVALID, "INFO or GO: lengths do not fit each other.");
		return;
	}
	/* Unknown types are ignored; asking twice is asking once. */
	while (take_be16(d, &type))
		if (type <= NBD_INFO_BLOCK_SIZE)
			wanted |= INFO_BIT(type);
	matched = name_matches(c, name, len);
	if (!matched) {
		put_error(c, NBD_REP_ERR_UNKNOWN, "There is no export of that name here.");
		return;
	}
	if (wanted & INFO_BIT(NBD_INFO_BLOCK_SIZE))
		c->hs.knows_blocks = true;
	put_infos(c, wanted);
	put_ack(c);
	if (c->hs.opt == NBD_OPT_GO)
		begin_transmission(c, matched);
}

/* --- metadata contexts ------------------------------------------------------------------ */

static bool string_is(const uint8_t *s, uint32_t len, const char *what)
{
	return len == strlen(what) && memcmp(s, what, len) == 0;
}

/* Is base:allocation among the queries? False in *ret_ok: lengths that lie. A count of 2^32-1
 * ends with the data, which is bounded. */
static bool wants_allocation(struct opt_data *d, uint32_t nqueries, bool list, bool *ret_ok)
{
	bool wanted = list && nqueries == 0;
	const uint8_t *q;
	uint32_t len;

	*ret_ok = true;
	while (nqueries-- > 0) {
		if (!take_string(d, &q, &len)) {
			*ret_ok = false;
			return false;
		}
		if (string_is(q, len, NBD_CONTEXT_BASE_ALLOCATION) ||
		    (list && string_is(q, len, "base:")))
			wanted = true;
	}
	*ret_ok = d->left == 0;
	return wanted && *ret_ok;
}

static void opt_meta_context(struct nbd_conn *c, struct opt_data *d)
{
	bool list = c->hs.opt == NBD_OPT_LIST_META_CONTEXT, wanted, ok;
	static const char name_text[] = NBD_CONTEXT_BASE_ALLOCATION;
	const uint8_t *name;
	uint32_t len, nqueries;
	int matched;

	/* Each SET replaces the one before, also when it fails. */
	if (!list)
		c->hs.meta_for = 0;
	if (!list && !c->hs.structured) {
		put_error(c, NBD_REP_ERR_INVALID, "SET_META_CONTEXT needs STRUCTURED_REPLY first.");
		return;
	}
	if (!take_string(d, &name, &len) || !take_be32(d, &nqueries)) {
		put_error(c, NBD_REP_ERR_INVALID, "META_CONTEXT: lengths do not fit each other.");
		return;
	}
	wanted = wants_allocation(d, nqueries, list, &ok);
	if (!ok) {
		put_error(c, NBD_REP_ERR_INVALID, "META_CONTEXT: lengths do not fit each other.");
		return;
	}
	matched = name_matches(c, name, len);
	if (!matched) {
		put_error(c, NBD_REP_ERR_UNKNOWN, "There is no export of that name here.");
		return;
	}
	if (wanted) {
		/* LIST gives no number to it. */
		put_reply_head(c, NBD_REP_META_CONTEXT, 4 + sizeof(name_text) - 1);
		put_be32_to(c, list ? 0 : NBD_CONTEXT_ID);
		nbd_conn_put(c, name_text, sizeof(name_text) - 1);
		if (!list)
			c->hs.meta_for = matched;
	}
	put_ack(c);
}

/* --- the other options -------------------------------------------------------------------- */

static void opt_list(struct nbd_conn *c, struct opt_data *d)
{
	const struct nbd_conf *conf = &c->srv->conf;
	uint32_t name_len = (uint32_t)strlen(conf->export_name);
	uint32_t text_len = (uint32_t)strlen(conf->description);

	if (d->left > 0) {
		put_error(c, NBD_REP_ERR_INVALID, "LIST takes no data.");
		return;
	}
	put_reply_head(c, NBD_REP_SERVER, 4 + name_len + text_len);
	put_be32_to(c, name_len);
	nbd_conn_put(c, conf->export_name, name_len);
	nbd_conn_put(c, conf->description, text_len);
	put_ack(c);
}

static void opt_structured_reply(struct nbd_conn *c, struct opt_data *d)
{
	if (d->left > 0) {
		put_error(c, NBD_REP_ERR_INVALID, "STRUCTURED_REPLY takes no data.");
		return;
	}
	c->hs.structured = true;
	put_ack(c);
}

static void do_option(struct nbd_conn *c, struct opt_data *d)
{
	switch (c->hs.opt) {
	case NBD_OPT_EXPORT_NAME:
		opt_export_name(c, d);
		break;
	case NBD_OPT_ABORT:
		put_ack(c);
		nbd_conn_event(c, NBD_E_FINISH);
		break;
	case NBD_OPT_LIST:
		opt_list(c, d);
		break;
	case NBD_OPT_INFO:
	case NBD_OPT_GO:
		opt_info(c, d);
		break;
	case NBD_OPT_STRUCTURED_REPLY:
		opt_structured_reply(c, d);
		break;
	case NBD_OPT_LIST_META_CONTEXT:
	case NBD_OPT_SET_META_CONTEXT:
		opt_meta_context(c, d);
		break;
	case NBD_OPT_STARTTLS:
		put_error(c, NBD_REP_ERR_UNSUP, "This server does not speak TLS.");
		break;
	case NBD_OPT_PEEK_EXPORT:
	case NBD_OPT_EXTENDED_HEADERS:
	default:
		put_error(c, NBD_REP_ERR_UNSUP, "This server does not know that option.");
		break;
	}
}

/* --- steps ---------------------------------------------------------------------------------- */

void nbd_hs_greet(struct nbd_conn *c)
{
	struct nbd_greeting g;

	put_be64(&g.magic, NBD_MAGIC);
	put_be64(&g.opt_magic, NBD_OPT_MAGIC);
	put_be16(&g.flags, NBD_F_FIXED_NEWSTYLE | NBD_F_NO_ZEROES);
	nbd_conn_put(c, &g, sizeof(g));
}

bool nbd_hs_flags(struct nbd_conn *c)
{
	uint32_t flags;

	if (nbd_avail(c) < 4)
		return false;
	flags = get_be32(nbd_peek(c));
	nbd_consume(c, 4);
	if (flags & ~(uint32_t)(NBD_F_FIXED_NEWSTYLE | NBD_F_NO_ZEROES)) {
		nbd_conn_cut(c, "unknown flags in its greeting; is it an NBD client?");
		return false;
	}
	c->hs.fixed = flags & NBD_F_FIXED_NEWSTYLE;
	c->hs.no_zeroes = flags & NBD_F_NO_ZEROES;
	nbd_conn_event(c, NBD_E_FLAGS);
	return true;
}

/* The header of an option is sane as far as we can go on; else the connection is cut. */
static bool option_head_ok(struct nbd_conn *c)
{
	const struct nbd_option *o = (const void *)nbd_peek(c);
	const char *why = NULL;

	c->hs.opt = get_be32(&o->opt);
	c->hs.len = get_be32(&o->len);
	if (get_be64(&o->magic) != NBD_OPT_MAGIC)
		why = "garbage where an option was due";
	else if (c->hs.options >= NBD_OPTIONS_MAX)
		why = "too many options";
	else if (!c->hs.fixed && c->hs.opt != NBD_OPT_EXPORT_NAME)
		why = "an option that needs the fixed newstyle handshake, which it did not ask for";
	else if (c->hs.len > NBD_SKIP_BYTES_MAX)
		why = "an option of absurd length";
	if (why)
		nbd_conn_cut(c, why);
	return !why;
}

bool nbd_hs_option(struct nbd_conn *c)
{
	struct opt_data d;
	size_t room = sizeof(c->hs.out) - (c->hs.out_end - c->hs.out_start);

	if (nbd_avail(c) < sizeof(struct nbd_option) || room < NBD_HS_ANSWER_BYTES + NBD_STRING_MAX)
		return false;
	if (!option_head_ok(c))
		return false;
	if (c->hs.len > NBD_OPTION_BYTES_MAX) {
		c->hs.options++;
		nbd_consume(c, sizeof(struct nbd_option));
		c->skip_left = c->hs.len;
		nbd_conn_event(c, NBD_E_TOO_LONG);
		return true;
	}
	if (nbd_avail(c) < sizeof(struct nbd_option) + c->hs.len)
		return false;
	c->hs.options++;
	d.p = nbd_peek(c) + sizeof(struct nbd_option);
	d.left = c->hs.len;
	do_option(c, &d);
	if (c->state == NBD_S_DEAD)
		return false;
	nbd_consume(c, sizeof(struct nbd_option) + c->hs.len);
	return true;
}

bool nbd_hs_skip(struct nbd_conn *c)
{
	size_t n = MIN(nbd_avail(c), c->skip_left);

	nbd_consume(c, n);
	c->skip_left -= n;
	if (c->skip_left > 0)
		return false;
	put_error(c, NBD_REP_ERR_TOO_BIG, "The option is too long.");
	nbd_conn_event(c, NBD_E_SKIPPED);
	return true;
}
