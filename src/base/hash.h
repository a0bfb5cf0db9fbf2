/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hash.h - XXH3 of data, by the widest vectors that this processor has.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* XXH3 with 64 bits, seed 0: the same on every machine and in every build. */
uint64_t hash64(const void *data, size_t len);

#endif
