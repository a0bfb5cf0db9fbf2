/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * prng.h - counter-based random numbers: the n-th draw of an entity depends on
 * (seed, entity, n) alone, so leaving one event out shifts no other draw.
 */
#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include <stdint.h>

struct prng {
	uint64_t key; /* mixed from seed and entity */
	uint64_t n;   /* draws so far */
};

/* The finalizer of splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t prng_mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	x ^= x >> 31;
	return x;
}

static inline void prng_init(struct prng *r, uint64_t seed, uint64_t entity)
{
	r->key = prng_mix(seed + 0x9e3779b97f4a7c15ull) ^ prng_mix(entity * 0xd1342543de82ef95ull + 1);
	r->n = 0;
}

static inline uint64_t prng_u64(struct prng *r)
{
	return prng_mix(r->key + ++r->n * 0x9e3779b97f4a7c15ull);
}

/* Uniform in [0, bound); bound > 0. */
static inline uint64_t prng_below(struct prng *r, uint64_t bound)
{
	return (uint64_t)(((unsigned __int128)prng_u64(r) * bound) >> 64);
}

/* True with probability num/den. */
static inline int prng_chance(struct prng *r, uint64_t num, uint64_t den)
{
	return prng_below(r, den) < num;
}

#endif
