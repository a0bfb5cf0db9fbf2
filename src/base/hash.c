/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "base/hash.h"

#ifdef HAVE_XXH_DISPATCH
#include <xxh_x86dispatch.h> /* puts its own for XXH3_64bits() */
#else
#define XXH_INLINE_ALL
#include <xxhash.h>
#endif

uint64_t hash64(const void *data, size_t len)
{
	return XXH3_64bits(data, len);
}
