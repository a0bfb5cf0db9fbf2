/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle.c - see oracle.h. */
#include "oracle.h"

#include "world.h"

#include "base/units.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t zero_cell[CELL_BYTES / 8];

void cell_fill(uint64_t seed, uint32_t wid, uint32_t c, uint8_t *data)
{
	uint64_t word[CELL_BYTES / 8];
	uint64_t mix = prng_mix(seed ^ ((uint64_t)wid << 32 | c));

	word[0] = seed;
	word[1] = (uint64_t)wid << 32 | c;
	for (unsigned i = 2; i < ARRAY_SIZE(word); i++)
		word[i] = mix + i * word[1];
	memcpy(data, word, sizeof(word));
}

/* The id that @data carries, 0 for zeroes. Fails on anything that is not a cell @c of this run. */
static uint32_t cell_id(struct oracle *o, uint32_t c, const uint8_t *data, const char *when)
{
	uint8_t expect[CELL_BYTES];
	uint64_t word[2];
	uint32_t wid;

	if (memcmp(data, zero_cell, CELL_BYTES) == 0)
		return 0;
	memcpy(word, data, sizeof(word));
	wid = (uint32_t)(word[1] >> 32);
	if (word[0] != o->w->seed)
		world_fail(o->w, "O1", "%s: cell %u holds bytes that nobody wrote (%016llx %016llx)", when, c,
			   (unsigned long long)word[0], (unsigned long long)word[1]);
	if ((uint32_t)word[1] != c)
		world_fail(o->w, "O1", "%s: cell %u holds cell %u of write %u: misdirected", when, c,
			   (uint32_t)word[1], wid);
	cell_fill(o->w->seed, wid, c, expect);
	if (memcmp(data, expect, CELL_BYTES) != 0)
		world_fail(o->w, "O1", "%s: cell %u of write %u is torn", when, c, wid);
	if (wid >= o->nwrs || o->wrs[wid].kind != WR_DATA || c < o->wrs[wid].c0 || c >= o->wrs[wid].c1)
		world_fail(o->w, "O1", "%s: cell %u names write %u, which never wrote it", when, c, wid);
	return wid;
}

void oracle_init(struct oracle *o, struct world *w, uint32_t ncells)
{
	*o = (struct oracle){ .w = w, .ncells = ncells, .tick = 1, .nwrs = 1, .nseen = 1 };
	o->cells = calloc(ncells, sizeof(*o->cells));
	o->wrs_cap = 1024;
	o->wrs = malloc(o->wrs_cap * sizeof(*o->wrs));
	o->seen_cap = 16384;
	o->seen = malloc(o->seen_cap * sizeof(*o->seen));
	o->volatiles_cap = 1024;
	o->volatiles = malloc(o->volatiles_cap * sizeof(*o->volatiles));
	assert(o->cells && o->wrs && o->seen && o->volatiles);
	o->wrs[0] = (struct wr){ .kind = WR_ZERO, .status = WR_OK, .c1 = ncells };
}

void oracle_fini(struct oracle *o)
{
	free(o->cells);
	free(o->wrs);
	free(o->seen);
	free(o->volatiles);
}

/* --- what a cell knows ------------------------------------------------------- */

static uint32_t wr_bound(const struct wr *w)
{
	return w->status == WR_OPEN || w->status == WR_HAUNTED ? TICK_NEVER : w->end;
}

static uint32_t seen_eff(const struct oracle *o, const struct seen *s)
{
	const struct wr *w = &o->wrs[s->wid];

	return w->again ? wr_bound(w) : MIN(wr_bound(w), s->first_obs);
}

/* Since when is it known that the write took effect? */
static uint32_t seen_known(const struct oracle *o, const struct seen *s)
{
	const struct wr *w = &o->wrs[s->wid];

	if (w->again)
		return w->status == WR_OK ? w->end : TICK_NEVER;
	return w->status == WR_OK ? MIN(w->end, s->first_obs) : s->first_obs;
}

static void seen_add(struct oracle *o, uint32_t c, uint32_t wid)
{
	uint32_t i = o->seen_free;

	if (i) {
		o->seen_free = o->seen[i].next;
	} else {
		if (o->nseen == o->seen_cap) {
			o->seen_cap *= 2;
			o->seen = realloc(o->seen, o->seen_cap * sizeof(*o->seen));
			assert(o->seen);
		}
		i = o->nseen++;
	}
	o->seen[i] = (struct seen){ .wid = wid,
				    .first_obs = TICK_NEVER,
				    .dead = TICK_NEVER,
				    .obsolete = TICK_NEVER,
				    .next = o->cells[c].head };
	o->cells[c].head = i;
}

/* The zeroes of the start become an entry when a cell is first written: most never are. */
static void cell_touch(struct oracle *o, uint32_t c)
{
	if (!o->cells[c].head)
		seen_add(o, c, 0);
}

/* Forget what no read that runs or will run may return: it would be a violation in any case. */
static void cell_prune(struct oracle *o, struct cell *cell, uint32_t oldest_begin)
{
	uint32_t *at = &cell->head, i;

	while ((i = *at)) {
		struct seen *s = &o->seen[i];

		if (s->obsolete == TICK_NEVER && seen_eff(o, s) < cell->max_inv)
			s->obsolete = o->tick;
		if (s->obsolete < oldest_begin) {
			*at = s->next;
			s->next = o->seen_free;
			o->seen_free = i;
		} else {
			at = &s->next;
		}
	}
}

/* --- O1 ------------------------------------------------------------------------ */

uint32_t oracle_write_begin(struct oracle *o, unsigned client, enum wr_kind kind, uint32_t c0, uint32_t c1,
			    uint32_t oldest_begin)
{
	uint32_t wid = o->nwrs++;

	assert(c0 < c1 && c1 <= o->ncells);
	if (wid == o->wrs_cap) {
		o->wrs_cap *= 2;
		o->wrs = realloc(o->wrs, o->wrs_cap * sizeof(*o->wrs));
		assert(o->wrs);
	}
	o->wrs[wid] = (struct wr){ .kind = kind, .status = WR_OPEN, .inv = ++o->tick, .c0 = c0, .c1 = c1, .client = client };
	for (uint32_t c = c0; c < c1; c++) {
		cell_touch(o, c);
		cell_prune(o, &o->cells[c], oldest_begin);
		seen_add(o, c, wid);
		o->cells[c].zero_open += kind == WR_ZERO;
	}
	return wid;
}

static void seen_remove(struct oracle *o, struct cell *cell, uint32_t wid)
{
	for (uint32_t *at = &cell->head, i; (i = *at); at = &o->seen[i].next)
		if (o->seen[i].wid == wid) {
			*at = o->seen[i].next;
			o->seen[i].next = o->seen_free;
			o->seen_free = i;
			return;
		}
}

/* May the medium still hold @data at cell @c when every write up to @floor must be there? */
static void check_durable(struct oracle *o, uint32_t c, const uint8_t *data, uint32_t floor, const char *oracle,
			  const char *when)
{
	uint32_t wid = cell_id(o, c, data, when), eff;

	if (wid)
		eff = wr_bound(&o->wrs[wid]);
	else
		eff = o->cells[c].zero_open ? TICK_NEVER : o->cells[c].zero_end;
	if (wid && o->wrs[wid].status == WR_CANCELED)
		world_fail(o->w, "O1", "%s: cell %u holds write %u, which was canceled unsent", when, c, wid);
	if (eff < floor)
		world_fail(o->w, oracle, "%s: cell %u holds write %u (answered at %u), a later one of %u is lost",
			   when, c, wid, eff, floor);
}

static void make_durable(struct oracle *o, const struct wr *w, const char *when)
{
	for (uint32_t c = w->c0; c < w->c1; c++) {
		struct cell *cell = &o->cells[c];

		cell->durable_inv = MAX(cell->durable_inv, w->inv);
		check_durable(o, c, array_stable(&o->w->array, c), cell->durable_inv, "O2", when);
	}
}

void oracle_write_again(struct oracle *o, uint32_t wid)
{
	struct wr *w = &o->wrs[wid];

	w->again = true;
	for (uint32_t c = w->c0; c < w->c1; c++) {
		seen_remove(o, &o->cells[c], wid);
		seen_add(o, c, wid);
	}
}

void oracle_write_end(struct oracle *o, uint32_t wid, enum wr_status status, bool durable, bool seen)
{
	struct wr *w = &o->wrs[wid];

	assert(w->status == WR_OPEN && status != WR_OPEN);
	w->status = status;
	w->end = ++o->tick;
	for (uint32_t c = w->c0; c < w->c1; c++) {
		struct cell *cell = &o->cells[c];

		if (w->kind == WR_ZERO && status != WR_HAUNTED) {
			cell->zero_open--;
			if (status != WR_CANCELED)
				cell->zero_end = w->end;
		}
		if (status == WR_OK && cell->reverted < w->inv)
			cell->max_inv = MAX(cell->max_inv, w->inv);
		else if (status == WR_CANCELED)
			seen_remove(o, cell, wid);
	}
	if (status != WR_OK || !seen)
		return;
	if (durable) {
		make_durable(o, w, "a write with FUA was answered");
		return;
	}
	if (w->inv <= o->doubt)
		o->late = w->end;
	if (o->nvolatiles == o->volatiles_cap) {
		o->volatiles_cap *= 2;
		o->volatiles = realloc(o->volatiles, o->volatiles_cap * sizeof(*o->volatiles));
		assert(o->volatiles);
	}
	o->volatiles[o->nvolatiles++] = wid;
}

void oracle_read_begin(struct oracle *o, uint32_t c0, uint32_t c1, uint32_t *ret)
{
	for (uint32_t c = c0; c < c1; c++)
		ret[c - c0] = o->cells[c].max_inv;
}

/* The entry of @cell that a read may have returned; *ret_n counts the candidates. */
static struct seen *find_legal(struct oracle *o, struct cell *cell, uint32_t wid, uint32_t begin,
			       uint32_t max_inv, unsigned *ret_n, struct seen **ret_any)
{
	struct seen *found = NULL;

	*ret_n = 0;
	*ret_any = NULL;
	for (uint32_t i = cell->head; i; i = o->seen[i].next) {
		struct seen *s = &o->seen[i];

		if (wid ? s->wid != wid : o->wrs[s->wid].kind != WR_ZERO)
			continue;
		*ret_any = s;
		if (seen_eff(o, s) < max_inv || s->dead <= begin)
			continue;
		found = s;
		++*ret_n;
	}
	return found;
}

void oracle_read_cell(struct oracle *o, uint32_t c, uint32_t begin, uint32_t max_inv, const uint8_t *data)
{
	uint32_t wid = cell_id(o, c, data, "a read");
	struct cell *cell = &o->cells[c];
	struct seen *s, *any;
	unsigned n;

	if (!cell->head && !wid)
		return;
	s = find_legal(o, cell, wid, begin, max_inv, &n, &any);
	if (!n)
		world_fail(o->w, "O1", "a read begun at %u returned write %u in cell %u: %s", begin, wid, c,
			   !any			       ? "it was overwritten long before" :
			   seen_eff(o, any) < max_inv ? "a later write had been answered before" :
							 "an earlier read saw it overwritten");
	if (begin <= cell->reverted)
		return; /* what it has seen may be gone already */
	if (n == 1) {
		s->first_obs = MIN(s->first_obs, o->tick);
		cell->max_inv = MAX(cell->max_inv, o->wrs[s->wid].inv);
	}
	/* Whatever was known to be there before this read began has been overwritten. */
	for (uint32_t i = cell->head; i; i = o->seen[i].next) {
		struct seen *e = &o->seen[i];
		bool same = wid ? e->wid == wid : o->wrs[e->wid].kind == WR_ZERO;

		/* Slow commands may bring back what was lost. */
		if (!same && e->dead == TICK_NEVER && o->wrs[e->wid].inv >= cell->reverted && seen_known(o, e) < begin)
			e->dead = o->tick;
	}
}

/* --- O2 ------------------------------------------------------------------------ */

void oracle_flushed(struct oracle *o, unsigned client, uint32_t begin)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < o->nvolatiles; i++) {
		const struct wr *w = &o->wrs[o->volatiles[i]];

		if (w->end < begin && !(w->told >> client & 1))
			make_durable(o, w, "a flush was answered");
		else
			o->volatiles[kept++] = o->volatiles[i];
	}
	o->nvolatiles = kept;
}

void oracle_told_of(struct oracle *o, unsigned client, uint32_t wid, bool failed)
{
	if (failed || o->wrs[wid].inv <= o->lost)
		o->wrs[wid].told |= 1u << client;
}

void oracle_told(struct oracle *o, unsigned client, bool failed)
{
	for (uint32_t i = 0; i < o->nvolatiles; i++)
		oracle_told_of(o, client, o->volatiles[i], failed);
}

void oracle_client_left(struct oracle *o, unsigned client)
{
	for (uint32_t i = 0; i < o->nvolatiles; i++) {
		struct wr *w = &o->wrs[o->volatiles[i]];

		if (w->inv <= o->lost && w->client != client)
			w->told |= 1u << client;
	}
}

void oracle_inherited(struct oracle *o, unsigned client)
{
	for (uint32_t i = 0; i < o->nvolatiles; i++)
		o->wrs[o->volatiles[i]].told |= 1u << client;
}

bool oracle_has_unflushed(const struct oracle *o)
{
	for (uint32_t i = 0; i < o->nvolatiles; i++) {
		const struct wr *w = &o->wrs[o->volatiles[i]];

		if (!w->told || w->inv > o->lost)
			return true;
	}
	return false;
}

/*
 * From now on the cell may be read as it was when it was stable: what is known
 * of later writes counts no more, and what it holds counts again.
 */
void oracle_reverted(struct oracle *o, uint32_t c, const uint8_t *data)
{
	struct cell *cell = &o->cells[c];
	uint32_t wid = cell_id(o, c, data, "a lost cache"), i;

	check_durable(o, c, data, cell->durable_inv, "O2", "a lost cache");
	cell->reverted = ++o->tick;
	cell->max_inv = 0;
	for (i = cell->head; i; i = o->seen[i].next)
		o->seen[i].dead = o->seen[i].obsolete = TICK_NEVER;
	for (i = cell->head; i; i = o->seen[i].next)
		if (o->seen[i].wid == wid)
			break;
	if (!i)
		seen_add(o, c, wid);
	clients_reverted(&o->w->clients, c);
}

void oracle_check_survivor(struct oracle *o, uint32_t c, const uint8_t *data, const char *when)
{
	check_durable(o, c, data, o->cells[c].durable_inv, "O2", when);
}
