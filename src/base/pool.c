/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool.c - a stack of free objects over one array.
 *
 * The stack is apart from the objects, so a stray write into a freed object
 * cannot break the pool.  Builds with --enable-verify search it at every put
 * for an object that is given back twice.
 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/pool.h"

int pool_init(struct pool *p, size_t obj_bytes, size_t n)
{
	const size_t align = _Alignof(max_align_t);
	size_t i;

	assert(obj_bytes > 0 && n > 0);
	memset(p, 0, sizeof(*p));
	if (fault_strikes(FAULT_ALLOC) || obj_bytes > SIZE_MAX - align)
		return -ENOMEM;
	p->size = (obj_bytes + align - 1) / align * align;
	p->mem = calloc(n, p->size);
	p->free_objs = calloc(n, sizeof(*p->free_objs));
	if (!p->mem || !p->free_objs) {
		free(p->mem);
		free(p->free_objs);
		memset(p, 0, sizeof(*p));
		return -ENOMEM;
	}
	p->n = p->nfree = n;
	for (i = 0; i < n; i++) /* the first object comes out first */
		p->free_objs[i] = p->mem + (n - 1 - i) * p->size;
	return 0;
}

void pool_fini(struct pool *p)
{
	assert(p->nfree == p->n);
	pool_drop(p);
}

void pool_drop(struct pool *p)
{
	free(p->mem);
	free(p->free_objs);
	memset(p, 0, sizeof(*p));
}

void *pool_get(struct pool *p)
{
	return p->nfree ? p->free_objs[--p->nfree] : NULL;
}

void pool_put(struct pool *p, void *obj)
{
	assert(pool_index(p, obj) < p->n);
	assert(p->nfree < p->n);
#ifdef VERIFY
	for (size_t i = 0; i < p->nfree; i++)
		assert(p->free_objs[i] != obj);
#endif
	p->free_objs[p->nfree++] = obj;
}

size_t pool_index(const struct pool *p, const void *obj)
{
	size_t offset = (uintptr_t)obj - (uintptr_t)p->mem;

	assert(offset < p->n * p->size);
	assert(offset % p->size == 0);
	return offset / p->size;
}
