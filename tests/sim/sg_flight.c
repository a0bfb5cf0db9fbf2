/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sg_flight.c - a command in the kernel: what its CDB says, and what becomes of it. See sg_kernel.h. */
#include "sg_kernel_priv.h"

#include "fate.h"

#include "base/bytes.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void kcmd_apply(struct loop_timer *t);
static void kcmd_end(struct loop_timer *t);

struct kcmd *kcmd_new(struct nexus *n, unsigned file, const struct sg_io_hdr *h)
{
	struct kcmd *c = TAILQ_FIRST(&sgk.spare);
	uint8_t *data;
	size_t cap;

	if (c)
		TAILQ_REMOVE(&sgk.spare, c, link);
	else
		c = calloc(1, sizeof(*c));
	assert(c);
	data = c->data;
	cap = c->data_cap;
	if (cap < h->dxfer_len || !data) {
		free(data);
		cap = MAX(h->dxfer_len, 512u);
		data = malloc(cap);
		assert(data);
	}
	*c = (struct kcmd){ .n = n, .file = file, .hdr = *h, .data = data, .data_cap = cap, .op = CMD_OP_NR };
	memcpy(c->cdb, h->cmdp, MIN((size_t)h->cmd_len, sizeof(c->cdb)));
	c->hdr.status = c->hdr.masked_status = c->hdr.sb_len_wr = 0;
	c->hdr.host_status = c->hdr.driver_status = 0;
	c->hdr.resid = 0;
	loop_timer_init(&c->apply, kcmd_apply);
	loop_timer_init(&c->end, kcmd_end);
	TAILQ_INSERT_TAIL(&sgk.live, c, link);
	return c;
}

void kcmd_free(struct kcmd *c)
{
	TAILQ_REMOVE(&sgk.live, c, link);
	TAILQ_INSERT_HEAD(&sgk.spare, c, link);
}

void kcmd_wrong(const struct nexus *n, const struct sg_io_hdr *h, const char *what)
{
	world_fail(sgk.w, "O1", "path %u wrote a header that is wrong: %s; opcode %02x, %u bytes", n->id, what,
		   h->cmdp[0], h->dxfer_len);
}

/* What the CDB says, without asking core. */
static void decode(const struct kcmd *c, struct cmd *cmd)
{
	const uint8_t *b = c->cdb;

	cmd->flags = 0;
	switch (b[0]) {
	case 0x28:
	case 0x2a:
		cmd->lba = get_be32(b + 2);
		cmd->nblocks = get_be16(b + 7);
		break;
	case 0x88:
	case 0x8a:
	case 0x93:
		cmd->lba = get_be64(b + 2);
		cmd->nblocks = get_be32(b + 10);
		break;
	case 0x41:
		cmd->lba = get_be32(b + 2);
		cmd->nblocks = get_be16(b + 7);
		break;
	case 0x42:
		cmd->lba = get_be64(c->data + 8);
		cmd->nblocks = get_be32(c->data + 16);
		break;
	case 0x9e:
		cmd->lba = get_be64(b + 2);
		break;
	default:
		break;
	}
	if ((b[0] == 0x2a || b[0] == 0x8a) && (b[1] & 0x08))
		cmd->flags = CMD_F_FUA;
}

static bool opcode_fits(const struct kcmd *c, enum cmd_op op)
{
	uint8_t b = c->cdb[0];

	switch (op) {
	case CMD_READ:
		return b == 0x28 || b == 0x88;
	case CMD_WRITE:
		return b == 0x2a || b == 0x8a;
	case CMD_WRITE_ZEROES:
		return b == 0x41 || b == 0x93;
	case CMD_DISCARD:
		return b == 0x42 || ((b == 0x41 || b == 0x93) && (c->cdb[1] & 0x08));
	case CMD_FLUSH:
		return b == 0x35 || b == 0x91;
	case CMD_STATUS:
		return b == 0x9e && (c->cdb[1] & 0x1f) == 0x12;
	case CMD_OP_NR:
		break;
	}
	return false;
}

/* The user's memory, flat or scattered. */
static const struct iovec *hdr_iov(const struct sg_io_hdr *h, struct iovec *one, unsigned *ret_n)
{
	*one = (struct iovec){ .iov_base = h->dxferp, .iov_len = h->dxfer_len };
	*ret_n = h->iovec_count ? h->iovec_count : h->dxfer_len > 0;
	return h->iovec_count ? h->dxferp : one;
}

void kcmd_copy(const struct sg_io_hdr *h, uint8_t *flat, size_t len, bool in)
{
	struct iovec one;
	unsigned n;
	const struct iovec *v = hdr_iov(h, &one, &n);

	for (unsigned i = 0; i < n && len; i++) {
		size_t part = MIN(v[i].iov_len, len);

		memcpy(in ? flat : v[i].iov_base, in ? v[i].iov_base : flat, part);
		flat += part;
		len -= part;
	}
}

/* The command as the device understands it, with core's bookkeeping of who waits for it. */
static struct cmd *as_seen(struct kcmd *c, const struct sg_slot *slot)
{
	const struct cmd *core = slot->cmd;
	struct cmd *s = &sgk.scratch;
	struct iovec one;

	s->op = slot->flushing ? CMD_FLUSH : core->op;
	s->path = core->path;
	s->lba = 0;
	s->nblocks = core->op == CMD_STATUS ? core->nblocks : 0;
	s->tries = core->tries;
	s->spent_ns = core->spent_ns;
	s->sent_ns = core->sent_ns;
	s->nsegs = core->nsegs;
	memcpy(s->seg, core->seg, core->nsegs * sizeof(s->seg[0]));
	decode(c, s);
	s->niov = 0;
	if (s->op == CMD_READ || s->op == CMD_WRITE) {
		const struct iovec *v = hdr_iov(&c->hdr, &one, &s->niov);

		assert(s->niov <= CMD_SEGS_MAX);
		memcpy(s->iov, v, s->niov * sizeof(*v));
	}
	if (!opcode_fits(c, s->op))
		kcmd_wrong(c->n, &c->hdr, "the opcode is for something else");
	if (s->op != CMD_FLUSH && (s->lba != core->lba || s->nblocks != core->nblocks))
		kcmd_wrong(c->n, &c->hdr, "other blocks than core asked for");
	return s;
}

/* sense tables that say "was not run": the model's luck may say otherwise. */
static bool says_not_run(const struct outcome *o)
{
	return (o->verdict == V_LATER && !(o->flags & VF_RETRY_ONCE)) ||
	       (o->verdict == V_OTHER && (o->flags & VF_ALL_ERR)) || (o->verdict == V_ERR && o->err == ENOSPC);
}

ssize_t kcmd_send_data(struct kcmd *c, const struct sg_slot *slot)
{
	struct sim_fate f = { 0 };
	struct cmd *s;

	if (c->hdr.dxfer_direction == SG_DXFER_TO_DEV)
		kcmd_copy(&c->hdr, c->data, c->hdr.dxfer_len, true);
	s = as_seen(c, slot);
	nexus_fate(c->n, NULL, s, &f);
	if (f.submit < 0) {
		bool memory = prng_u64(&c->n->cmds) & 1;

		dev_of(c->n)->refused |= f.submit == -ENODEV;
		kcmd_free(c);
		return f.submit == -ENODEV ? -ENODEV : memory ? -ENOMEM : -EAGAIN;
	}
	c->rec = s->drv;
	c->cmd = slot->cmd;
	c->op = s->op;
	c->lba = s->lba;
	c->nblocks = s->nblocks;
	c->outcome = f.outcome;
	if (says_not_run(&f.outcome))
		c->rec->effect_blocks = 0;
	c->lost = f.end_ns >= SGK_IO_TIMEOUT_NS;
	/* BUSY, say, which is nobody's business above. */
	if (sgk.hidden_rate && prng_below(&sgk.prng, sgk.hidden_rate) == 0) {
		c->n->info.unexplained++;
		f.end_ns += draw(&sgk.prng, 1, 200) * NS_PER_MS;
		c->rec->end_ns = world_now_ns(sgk.w) + f.end_ns;
	}
	if (f.apply_ns != SIM_NEVER)
		loop_timer_in(sgk.w->loop, &c->apply, f.apply_ns);
	loop_timer_in(sgk.w->loop, &c->end, f.end_ns);
	return sizeof(c->hdr);
}

ssize_t kcmd_send_check(struct kcmd *c)
{
	struct nexus *n = c->n;
	struct kdev *d = dev_of(n);

	if (!d->checking) {
		d->checking = true;
		d->bad_luck = false;
		d->check_began_ns = world_now_ns(sgk.w);
		n->check_tick = world_tick(sgk.w);
		n->check_end_ns = NS_NEVER / 2;
	}
	c->lost = n->hang || (n->check_bad && draw_pct(&n->checks, 30));
	loop_timer_in(sgk.w->loop, &c->end, c->lost ? SGK_CHECK_TIMEOUT_NS : draw(&n->checks, 1, sgk.check_us) * NS_PER_US);
	return sizeof(c->hdr);
}


static void apply(struct kcmd *c)
{
	struct cmd *s = &sgk.scratch;

	s->op = c->op;
	s->flags = c->rec->flags;
	s->lba = c->lba;
	s->nblocks = c->nblocks;
	s->drv = c->rec;
	s->niov = c->op == CMD_READ;
	s->iov[0] = (struct iovec){ .iov_base = c->data, .iov_len = c->hdr.dxfer_len };
	s->extents = c->extents;
	s->max_extents = SG_LBA_EXTENTS;
	s->nextents = 0;
	nexus_apply(c->n, NULL, s);
	c->nextents = s->nextents;
}

static void kcmd_apply(struct loop_timer *t)
{
	apply(container_of(t, struct kcmd, apply));
}

/* GET LBA STATUS parameter data (SBC-5): the blocks of each extent follow those of the one before. */
static void put_extents(struct kcmd *c)
{
	size_t n = 8;
	uint64_t lba = c->lba;

	memset(c->data, 0, c->hdr.dxfer_len);
	for (unsigned i = 0; i < c->nextents && n + 16 <= c->hdr.dxfer_len; i++, n += 16) {
		put_be64(c->data + n, lba);
		put_be32(c->data + n + 8, c->extents[i].nblocks);
		c->data[n + 12] = c->extents[i].hole ? 1 : 0;
		lba += c->extents[i].nblocks;
	}
	put_be32(c->data, (uint32_t)n - 4);
	c->hdr.resid = (int)(c->hdr.dxfer_len - n);
}

static void end_data(struct kcmd *c)
{
	struct outcome o = c->outcome;

	/* An effect that is due at the same time comes first. */
	if (loop_timer_running(&c->apply)) {
		loop_timer_stop(sgk.w->loop, &c->apply);
		apply(c);
	}
	nexus_over(c->n, c->rec, &o);
	c->rec = NULL;
	c->defers = o.flags & VF_DEFERRED;
	lu_encode(c, &o);
	if (c->op == CMD_STATUS && (o.verdict == V_OK || o.verdict == V_OK_INFO))
		put_extents(c);
}

/* INQUIRY tells of no unit attention. */
static bool meets_attention(struct kcmd *c)
{
	struct nexus *n = c->n;
	struct outcome o = { .verdict = V_SAME };

	if (c->cdb[0] == 0x12 || (!n->attention && !n->reset))
		return false;
	if (n->reset)
		o.flags = VF_CACHE;
	else
		o.flags = VF_IDENTITY;
	dev_of(n)->reset |= n->reset;
	if (n->reset)
		n->reset = false;
	else
		n->attention = false;
	lu_encode(c, &o);
	return true;
}

static void end_check(struct kcmd *c)
{
	struct nexus *n = c->n;

	c->hdr.resid = (int)c->hdr.dxfer_len;
	if (c->lost || n->hang)
		c->hdr.host_status = 0x03; /* DID_TIME_OUT */
	else if (n->down)
		c->hdr.host_status = 0x01; /* DID_NO_CONNECT */
	else if (n->check_bad && draw_pct(&n->checks, 70))
		c->hdr.host_status = 0x07; /* DID_ERROR */
	else if (!meets_attention(c)) {
		c->hdr.resid = 0;
		lu_execute(c);
	}
}

/* While it recovers from a command that nobody answered a host gives no results; @c, which it recovers
 * from, is among the last. Returns how long that takes yet. */
static uint64_t recovery_ns(struct kcmd *c)
{
	int host = c->n->cfg->host;
	uint64_t now_ns = world_now_ns(sgk.w);

	if (!sgk.eh || host < 0 || sgk.w->phase != WP_LOAD)
		return 0;
	if (c->lost && !c->recovered && sgk.eh_until_ns[host] <= now_ns)
		sgk.eh_until_ns[host] = now_ns + draw(&sgk.prng, 0, 10) * NS_PER_SEC;
	c->recovered = true;
	return sgk.eh_until_ns[host] > now_ns ? sgk.eh_until_ns[host] - now_ns : 0;
}

static void kcmd_end(struct loop_timer *t)
{
	struct kcmd *c = container_of(t, struct kcmd, end);
	struct kdev *d = dev_of(c->n);
	bool check = !c->cmd, bad;
	uint64_t wait_ns = recovery_ns(c);

	if (wait_ns) {
		if (c->rec)
			c->rec->end_ns = world_now_ns(sgk.w) + wait_ns;
		loop_timer_in(sgk.w->loop, t, wait_ns);
		return;
	}
	if (check)
		end_check(c);
	else
		end_data(c);
	bad = c->hdr.status || c->hdr.host_status;
	d->ioerr_cnt += bad;
	d->bad_luck |= check && bad;
	c->ready = true;
	sgk.file[c->file].nready++;
	/* Who has slept finds it before anything that should have happened later. */
	if (sgk.w->slept_ns)
		dev_poll(&d->poll);
	else
		loop_timer_in(sgk.w->loop, &d->poll, 0);
}

