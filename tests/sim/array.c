/* SPDX-License-Identifier: GPL-2.0-or-later */
/* array.c - the medium: cells, caches, power. See array.h. */
#include "array_priv.h"

#include "base/units.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool bit_get(const uint64_t *bits, uint64_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

static void bit_set(uint64_t *bits, uint64_t i)
{
	bits[i / 64] |= 1ull << (i % 64);
}

static void bit_clear(uint64_t *bits, uint64_t i)
{
	bits[i / 64] &= ~(1ull << (i % 64));
}

void array_init(struct array *a, struct world *w)
{
	const struct swarm *cfg = &w->cfg;

	*a = (struct array){ .w = w, .ncells = (uint32_t)cfg->nblocks * cfg->ncells_block };
	a->now = calloc(a->ncells, CELL_BYTES);
	a->stable = calloc(a->ncells, CELL_BYTES);
	a->owner = calloc(a->ncells, 1);
	a->dirty = calloc(a->ncells / 64 + 1, 8);
	a->bad = calloc(cfg->nblocks / 64 + 1, 8);
	assert(a->now && a->stable && a->owner && a->dirty && a->bad);
	TAILQ_INIT(&a->live);
	prng_init(&a->prng, w->seed, ENT_MEDIUM);
	for (unsigned i = 0; i < cfg->nbad; i++)
		bit_set(a->bad, prng_below(&a->prng, cfg->nblocks));
	for (unsigned i = 0; i < cfg->npaths; i++)
		nexus_init(&a->nexus[i], w, i);
}

void array_fini(struct array *a)
{
	struct cmd_rec *rec;

	while ((rec = TAILQ_FIRST(&a->live))) {
		TAILQ_REMOVE(&a->live, rec, live);
		rec->next = a->recs;
		a->recs = rec;
	}
	while ((rec = a->recs)) {
		a->recs = rec->next;
		free(rec->data);
		free(rec);
	}
	free(a->now);
	free(a->stable);
	free(a->owner);
	free(a->dirty);
	free(a->bad);
}

const uint8_t *array_stable(const struct array *a, uint32_t c)
{
	return a->owner[c] ? a->stable + (size_t)c * CELL_BYTES : array_now(a, c);
}

const uint8_t *array_now(const struct array *a, uint32_t c)
{
	return a->now + (size_t)c * CELL_BYTES;
}

bool array_is_bad(const struct array *a, uint64_t lba, uint64_t nblocks)
{
	if (a->w->cfg.nbad)
		for (uint64_t i = lba; i < lba + nblocks; i++)
			if (bit_get(a->bad, i))
				return true;
	return false;
}

/* Where a write through @n lands. */
static uint8_t nexus_cache(const struct nexus *n)
{
	return (n->info.caps & PATH_CAP_OWN_CACHE) && n->keeps_cache ? (uint8_t)(n->id + 1) : CACHE_LU;
}

/* --- caches ------------------------------------------------------------------- */

/* Stable contents of a cell that has an owner are in stable[], of any other in now[]. */
static void cell_make_volatile(struct array *a, uint32_t c, uint8_t owner)
{
	size_t at = (size_t)c * CELL_BYTES;

	if (a->owner[c] == owner)
		return; /* already: stable[] holds what would survive */
	/* It was stable, or in another cache, which then writes it down first. */
	memcpy(a->stable + at, a->now + at, CELL_BYTES);
	a->owner[c] = owner;
	bit_set(a->dirty, c);
}

static void cell_make_stable(struct array *a, uint32_t c)
{
	a->owner[c] = 0;
	bit_clear(a->dirty, c);
}

void array_write(struct array *a, const struct nexus *n, uint32_t c, const uint8_t *data, bool fua)
{
	const struct swarm *cfg = &a->w->cfg;
	uint8_t *now = a->now + (size_t)c * CELL_BYTES;
	bool through = fua || !cfg->write_cache || prng_below(&a->prng, 256) < cfg->destage;

	if (!through)
		cell_make_volatile(a, c, nexus_cache(n));
	if (data)
		memcpy(now, data, CELL_BYTES);
	else
		memset(now, 0, CELL_BYTES);
	if (through)
		cell_make_stable(a, c);
}

/* Call for each volatile cell of cache @owner. */
static void each_volatile(struct array *a, uint8_t owner, void (*fn)(struct array *a, uint32_t c))
{
	for (uint32_t word = 0; word <= a->ncells / 64; word++)
		for (uint64_t bits = a->dirty[word]; bits; bits &= bits - 1) {
			uint32_t c = word * 64 + (uint32_t)__builtin_ctzll(bits);

			if (a->owner[c] == owner)
				fn(a, c);
		}
}

void array_flush(struct array *a, const struct nexus *n)
{
	each_volatile(a, CACHE_LU, cell_make_stable);
	each_volatile(a, (uint8_t)(n->id + 1), cell_make_stable);
}

static void cell_spill(struct array *a, uint32_t c)
{
	a->owner[c] = CACHE_LU;
}

/*
 * A cache of a path's own is the page cache behind one block device: what it
 * holds when that goes away is in the cache of the file or disk below, see
 * src/core/flush.c.
 */
void array_spill(struct array *a, const struct nexus *n)
{
	each_volatile(a, (uint8_t)(n->id + 1), cell_spill);
}

void array_lose_cache(struct array *a, struct prng *r, unsigned pct)
{
	for (uint32_t word = 0; word <= a->ncells / 64; word++)
		for (uint64_t bits = a->dirty[word]; bits; bits &= bits - 1) {
			uint32_t c = word * 64 + (uint32_t)__builtin_ctzll(bits);
			uint8_t *now = a->now + (size_t)c * CELL_BYTES;

			if (!draw_pct(r, pct) && memcmp(now, array_stable(a, c), CELL_BYTES) != 0) {
				memcpy(now, array_stable(a, c), CELL_BYTES);
				oracle_reverted(&a->w->oracle, c, now);
			}
			cell_make_stable(a, c);
		}
}

void array_power_loss(struct array *a, struct prng *r)
{
	world_lost(a->w, false);
	array_lose_cache(a, r, 50);
	a->killed = a->ncmds;
	for (unsigned i = 0; i < a->w->cfg.npaths; i++)
		a->nexus[i].reset = true;
}
