/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ledger.c - entries of writes, and the ghosts that some of them become.
 *
 *   lun_submit()          ledger_admit()   an entry, or a place in the line
 *   before a command      ledger_sending() the slot is written
 *   a command goes out    ledger_sent()
 *   it is back            ledger_ended()   VF_GHOST: it may land until then
 *   the request ends      ledger_close()   free, or a ghost
 *   nothing can land      ledger_lay()     the writes that waited go on
 */
#include "core/lun_priv.h"

#include "base/hash.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* --- slots ------------------------------------------------------------------------- */

static uint64_t slot_sum(const struct ledger_slot *s)
{
	const char *from = (const char *)&s->op;

	return XXH3_64bits(from, (size_t)((const char *)&s->sum - from));
}

enum ledger_reading ledger_read_slot(const struct ledger_slot *s)
{
	if (s->state == LEDGER_EMPTY)
		return LEDGER_NOTHING;
	if (s->state != LEDGER_USED || s->sum != slot_sum(s))
		return LEDGER_BROKEN;
	if (s->op != REQ_WRITE && s->op != REQ_WRITE_ZEROES && s->op != REQ_DISCARD)
		return LEDGER_BROKEN;
	if (!s->nblocks || s->lba + s->nblocks < s->lba)
		return LEDGER_BROKEN;
	return LEDGER_WRITE;
}

void ledger_make_whole(struct ledger_slot *s)
{
	struct ledger_slot whole = { .op = REQ_WRITE, .nblocks = LEDGER_WHOLE, .path[0] = UINT32_MAX };

	whole.sum = slot_sum(&whole);
	/* Two steps, since somebody may be killed between them: a broken slot means the same. */
	if (s->state != LEDGER_EMPTY)
		__atomic_store_n(&s->sum, ~whole.sum, __ATOMIC_RELEASE);
	whole.state = s->state;
	*s = whole;
	__atomic_store_n(&s->state, LEDGER_USED, __ATOMIC_RELEASE);
}

static uint64_t req_hash(struct req *r)
{
	if (!r->hashed && r->op == REQ_WRITE)
		r->hash = hash64(r->data, (size_t)r->nblocks * r->lun->geo.block_bytes);
	r->hashed = true;
	return r->hash;
}

bool ghost_is_same(const struct ghost *g, struct req *r)
{
	if (!g->known || g->op != r->op || g->range.lba != r->lba ||
	    g->range.end != r->lba + r->nblocks)
		return false;
	if (fault_strikes(PLANT_HASH_EQUAL))
		return true;
	/* What lies around the edges is not known before they are read. */
	return !r->head_skip && !r->tail_skip && g->hash == req_hash(r);
}

static void slot_write(struct ledger_slot *s, struct req *r, uint64_t now_ns)
{
	s->op = (uint8_t)r->op;
	s->lba = r->lba;
	s->nblocks = r->nblocks;
	s->hash = req_hash(r);
	s->sum = slot_sum(s);
	s->path[0] = s->path[1] = 0;
	s->sent_ns = now_ns;
	/* Whoever reads a used slot finds all of it, wherever this process was killed. */
	__atomic_store_n(&s->state, LEDGER_USED, __ATOMIC_RELEASE);
}

static void slot_add_path(struct ledger_slot *s, uint32_t dev_id)
{
	if (s->path[0] == dev_id || s->path[1] == dev_id)
		return;
	if (!s->path[0])
		s->path[0] = dev_id;
	else
		s->path[1] = s->path[1] ? UINT32_MAX : dev_id;
}

/* --- entries ------------------------------------------------------------------------ */

static void entry_free(struct lun *lun, struct ledger_entry *e)
{
	struct ledger *l = &lun->ledger;

	assert(!e->cmds && !e->timed && (!e->slot || l->nfree < l->n));
	if (e->sent)
		__atomic_store_n(&e->slot->state, LEDGER_EMPTY, __ATOMIC_RELEASE);
	e->sent = e->is_ghost = e->held = e->restored = e->whole = false;
	e->until_ns = 0;
	e->req = NULL;
	if (e->slot)
		l->free_entries[l->nfree++] = e;
	if (!TAILQ_EMPTY(&l->waiting))
		lun_dirty(lun); /* ledger_serve() */
}

static void ledger_give(struct ledger *l, struct req *r)
{
	r->entry = l->free_entries[--l->nfree];
	r->entry->req = r;
}

bool ledger_admit(struct lun *lun, struct req *r)
{
	struct ledger *l = &lun->ledger;

	if (l->nfree && TAILQ_EMPTY(&l->waiting)) {
		ledger_give(l, r);
		return true;
	}
	r->no_entry = true;
	r->nblockers++;
	TAILQ_INSERT_TAIL(&l->waiting, r, aux);
	return false;
}

void ledger_serve(struct lun *lun)
{
	struct ledger *l = &lun->ledger;
	struct req *r;

	while (l->nfree && (r = TAILQ_FIRST(&l->waiting))) {
		TAILQ_REMOVE(&l->waiting, r, aux);
		r->no_entry = false;
		ledger_give(l, r);
		if (!--r->nblockers)
			lun_enter_phase(r);
	}
}

/* --- ghosts ------------------------------------------------------------------------- */

static void ledger_set_timer(struct lun *lun)
{
	struct ledger_entry *e = TAILQ_FIRST(&lun->ledger.due);

	if (e)
		loop_timer_at(lun->loop, &lun->ledger.timer, e->until_ns);
	else
		loop_timer_stop(lun->loop, &lun->ledger.timer);
}

static void ledger_time(struct lun *lun, struct ledger_entry *e)
{
	struct ledger_entry *pos;

	assert(!e->timed && !e->cmds);
	TAILQ_FOREACH_REVERSE (pos, &lun->ledger.due, ledger_due, due)
		if (pos->until_ns <= e->until_ns)
			break;
	if (pos)
		TAILQ_INSERT_AFTER(&lun->ledger.due, pos, e, due);
	else
		TAILQ_INSERT_HEAD(&lun->ledger.due, e, due);
	e->timed = true;
	ledger_set_timer(lun);
}

static void ledger_untime(struct lun *lun, struct ledger_entry *e)
{
	if (!e->timed)
		return;
	TAILQ_REMOVE(&lun->ledger.due, e, due);
	e->timed = false;
}

/* Nothing of @e can land any more. */
static void ledger_lay(struct lun *lun, struct ledger_entry *e)
{
	struct req_list ready = TAILQ_HEAD_INITIALIZER(ready);
	struct req *r;

	ledger_untime(lun, e);
	if (e->held) {
		r = e->req;
		e->held = false;
		e->until_ns = 0;
		lun_finish(r, r->err);
		return;
	}
	rangelock_lay(&lun->lock, &e->ghost, &ready);
	lun->ledger.nghosts--;
	entry_free(lun, e);
	while ((r = TAILQ_FIRST(&ready))) {
		TAILQ_REMOVE(&ready, r, fifo);
		lun_enter_phase(r);
	}
}

/* The last command of a ghost is back. */
static void ledger_settle(struct lun *lun, struct ledger_entry *e)
{
	if (e->until_ns > lun->now_ns)
		ledger_time(lun, e);
	else
		ledger_lay(lun, e);
}

static void ledger_due(struct loop_timer *t)
{
	struct lun *lun = container_of(t, struct lun, ledger.timer);
	struct ledger_entry *e;
	uint64_t now = loop_now_ns(lun->loop);

	while ((e = TAILQ_FIRST(&lun->ledger.due)) && e->until_ns <= now)
		ledger_lay(lun, e);
	ledger_set_timer(lun);
	lun_dirty(lun);
}

/* --- a command goes and comes back ---------------------------------------------------- */

static bool cmd_changes_blocks(const struct cmd *cmd)
{
	return cmd->op == CMD_WRITE || cmd->op == CMD_WRITE_ZEROES || cmd->op == CMD_DISCARD;
}

void ledger_sending(struct lun *lun, struct cmd *cmd, const struct path *p)
{
	if (!cmd_changes_blocks(cmd))
		return;
	for (unsigned i = 0; i < cmd->nsegs; i++) {
		struct req *r = cmd->seg[i].req;
		struct ledger_entry *e = r->entry;

		if (!e->sent) {
			slot_write(e->slot, r, lun->now_ns);
			e->sent = true;
		}
		if (p->dev_id != e->slot->path[0])
			slot_add_path(e->slot, p->dev_id ? p->dev_id : UINT32_MAX);
	}
}

void ledger_sent(struct cmd *cmd)
{
	if (cmd_changes_blocks(cmd))
		for (unsigned i = 0; i < cmd->nsegs; i++)
			cmd->seg[i].req->entry->cmds++;
}

void ledger_ended(struct lun *lun, struct cmd *cmd)
{
	unsigned flags = cmd->outcome.flags;
	bool unknown = (flags & VF_GHOST) && !(flags & VF_NOT_RUN);

	if (!cmd_changes_blocks(cmd))
		return;
	for (unsigned i = 0; i < cmd->nsegs; i++) {
		struct ledger_entry *e = cmd->seg[i].req->entry;

		assert(e->cmds > 0);
		e->cmds--;
		if (unknown && fault_strikes(PLANT_GHOST_EARLY))
			e->until_ns = MAX(e->until_ns, e->slot->sent_ns + lun->par.ghost_time_ns);
		else if (unknown)
			e->until_ns = lun->now_ns + lun->par.ghost_time_ns;
		if (!e->cmds && (e->is_ghost || e->held))
			ledger_settle(lun, e);
		else if (!e->cmds && !e->req)
			entry_free(lun, e); /* planted: it was forgotten */
	}
}

/* --- a request ends -------------------------------------------------------------------- */

static bool ledger_is_over(const struct lun *lun, const struct ledger_entry *e)
{
	return fault_strikes(PLANT_NO_LEDGER) ||
	       (!e->cmds && e->until_ns <= loop_now_ns(lun->loop));
}

bool ledger_holds(struct lun *lun, struct req *r)
{
	struct ledger_entry *e = r->entry;

	if (!e || e->held || !lun->par.ghost_hold_ack || ledger_is_over(lun, e))
		return false;
	e->held = true;
	if (!e->cmds)
		ledger_time(lun, e);
	return true;
}

void ledger_release_held(struct lun *lun)
{
	struct ledger_entry *e, *next;

	TAILQ_FOREACH_SAFE (e, &lun->ledger.due, due, next)
		if (e->held) {
			e->req->err = ESHUTDOWN;
			ledger_lay(lun, e);
		}
	ledger_set_timer(lun);
}

struct ghost *ledger_close(struct lun *lun, struct req *r)
{
	struct ledger_entry *e = r->entry;

	if (r->no_entry) {
		TAILQ_REMOVE(&lun->ledger.waiting, r, aux);
		r->no_entry = false;
		return NULL;
	}
	if (!e)
		return NULL;
	if (!e->cmds)
		r->entry = NULL; /* else its commands come back to it */
	e->req = NULL;
	if (ledger_is_over(lun, e) || !r->locked ||
	    (r->op != REQ_WRITE && fault_strikes(PLANT_LEDGER_DISCARD))) {
		if (!e->cmds)
			entry_free(lun, e);
		else
			e->is_ghost = false; /* planted: forgotten */
		return NULL;
	}
	e->is_ghost = true;
	e->ghost.op = r->op;
	e->ghost.known = e->sent;
	e->ghost.hash = e->sent ? e->slot->hash : 0;
	e->ghost.range.lba = r->lba;
	e->ghost.range.end = r->lba + r->nblocks;
	e->ghost.range.seq = r->seq;
	lun->ledger.nghosts++;
	lun->ledger.ghosts++;
	if (!e->cmds)
		ledger_time(lun, e);
	return &e->ghost;
}

/* --- making, restoring -------------------------------------------------------------------- */

static void ledger_haunt(struct lun *lun, struct ledger_entry *e, uint64_t for_ns)
{
	e->is_ghost = true;
	e->until_ns = loop_now_ns(lun->loop) + for_ns;
	rangelock_haunt(&lun->lock, &e->ghost);
	lun->ledger.nghosts++;
	ledger_time(lun, e);
}

static void entry_set_whole(struct ledger_entry *e)
{
	e->whole = true;
	e->ghost.op = REQ_WRITE;
	e->ghost.known = false;
	e->ghost.range.lba = 0;
	e->ghost.range.end = UINT64_MAX;
}

static void ledger_restore(struct lun *lun, struct ledger_entry *e, enum ledger_reading what)
{
	const struct ledger_slot *s = e->slot;

	if (what == LEDGER_BROKEN || s->nblocks == LEDGER_WHOLE || !lun->par.slots_block_bytes) {
		entry_set_whole(e);
	} else {
		e->ghost.op = (enum req_op)s->op;
		e->ghost.known = true;
		e->ghost.hash = s->hash;
		e->ghost.range.lba = s->lba;
		e->ghost.range.end = s->lba + s->nblocks;
	}
	e->sent = e->restored = true;
	ledger_haunt(lun, e, lun->par.restored_ghost_ns);
}

void ledger_learn(struct lun *lun)
{
	struct ledger *l = &lun->ledger;
	struct req_list none = TAILQ_HEAD_INITIALIZER(none);
	unsigned n = 0;

	if (lun->geo.block_bytes == lun->par.slots_block_bytes)
		return;
	for (unsigned i = 0; i < l->n; i++) {
		struct ledger_entry *e = &l->entries[i];

		if (!e->restored || e->whole)
			continue;
		rangelock_lay(&lun->lock, &e->ghost, &none);
		entry_set_whole(e);
		ledger_make_whole(e->slot);
		rangelock_haunt(&lun->lock, &e->ghost);
		n++;
	}
	if (n)
		log_err("an earlier process has left %u writes in blocks of %u bytes, and now there are %u in one: "
			"all writes wait until they cannot land any more", n, lun->par.slots_block_bytes,
			lun->geo.block_bytes);
}

unsigned lun_ghosts_of_others(const struct lun *lun)
{
	const struct ledger_entry *e;
	unsigned n = 0;

	TAILQ_FOREACH (e, &lun->ledger.due, due)
		n += e->restored;
	return n;
}

void ledger_stats(const struct lun *lun, struct lun_stats *ret)
{
	const struct ledger *l = &lun->ledger;
	const struct ledger_entry *e;
	uint64_t now = loop_now_ns(lun->loop);
	unsigned timed = 0;

	ret->ghosts = l->ghosts;
	ret->ghosts_now = l->nghosts;
	TAILQ_FOREACH (e, &l->due, due) {
		uint64_t left = e->until_ns > now ? e->until_ns - now : 0;

		timed += e->is_ghost;
		ret->ghosts_others += e->restored;
		ret->ghosts_left_ns = left;
		if (e->whole)
			ret->writes_held_ns = left;
	}
	ret->ghosts_out = l->nghosts - timed;
}

void lun_shorten_ghosts(struct lun *lun, lun_ghost_fn *fn, void *arg)
{
	struct ledger *l = &lun->ledger;
	uint64_t now = loop_now_ns(lun->loop), until;

	for (unsigned i = 0; i < l->n; i++) {
		struct ledger_entry *e = &l->entries[i];

		if (!e->restored || !e->timed || e->whole)
			continue;
		until = fn(arg, e->slot, now);
		if (until >= e->until_ns)
			continue;
		ledger_untime(lun, e);
		e->until_ns = until;
		ledger_time(lun, e);
	}
}

int ledger_init(struct lun *lun)
{
	struct ledger *l = &lun->ledger;
	unsigned n = ledger_slots(lun->par.max_reqs, lun->par.max_ghosts);

	TAILQ_INIT(&l->due);
	TAILQ_INIT(&l->waiting);
	loop_timer_init(&l->timer, ledger_due);
	l->slots = lun->par.slots;
	if (!l->slots)
		l->slots = l->own_slots = calloc(n, sizeof(*l->slots));
	l->entries = calloc(n + 1, sizeof(*l->entries));
	l->free_entries = calloc(n, sizeof(struct ledger_entry *));
	if (!l->slots || !l->entries || !l->free_entries)
		return -ENOMEM;
	l->n = n;
	if (fault_strikes(PLANT_LEDGER_LOST))
		memset(l->slots, 0, n * sizeof(*l->slots));
	/* The first slots are used first: the stack is filled from the end. */
	for (unsigned i = n; i-- > 0;) {
		struct ledger_entry *e = &l->entries[i];
		enum ledger_reading what = ledger_read_slot(&l->slots[i]);

		e->slot = &l->slots[i];
		e->ghost.range.slot = i;
		if (what == LEDGER_NOTHING)
			l->free_entries[l->nfree++] = e;
		else
			ledger_restore(lun, e, what);
	}
	l->entries[n].ghost.range.slot = n;
	if (lun->par.hold_writes_ns) {
		entry_set_whole(&l->entries[n]);
		ledger_haunt(lun, &l->entries[n], lun->par.hold_writes_ns);
	}
	return 0;
}

void ledger_fini(struct lun *lun)
{
	struct ledger *l = &lun->ledger;

	if (l->timer.fn)
		loop_timer_stop(lun->loop, &l->timer);
	ledger_drop(lun);
}

void ledger_drop(struct lun *lun)
{
	struct ledger *l = &lun->ledger;

	free(l->entries);
	free(l->free_entries);
	free(l->own_slots);
}

/* Ghosts of this process are left to the next one: their slots stay as they are. */
void ledger_verify(struct lun *lun)
{
	struct ledger *l = &lun->ledger;
	unsigned busy = 0, ghosts = 0;

	for (unsigned i = 0; i <= l->n; i++) {
		const struct ledger_entry *e = &l->entries[i];

		busy += e->slot && (e->req || e->is_ghost);
		ghosts += e->is_ghost;
		assert(!e->timed || (!e->cmds && (e->is_ghost || e->held)));
		assert(!(e->req && e->is_ghost));
		assert(!e->req || e->req->entry == e);
	}
	if (fault_any)
		return;
	assert(busy + l->nfree == l->n);
	assert(ghosts == l->nghosts && ghosts == lun->lock.nghosts);
}
