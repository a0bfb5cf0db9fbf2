/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool.h - a fixed number of equal objects, allocated once, handed out last in
 * first out so that the warmest memory is used again.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

struct pool {
	char *mem;	  /* n objects of size bytes */
	void **free_objs; /* stack of free objects */
	size_t size, n, nfree;
};

/* 0 or -ENOMEM.  Objects are zeroed once, here. */
int pool_init(struct pool *p, size_t obj_bytes, size_t n);
/* All objects must be back (asserted). A zeroed pool is accepted. */
void pool_fini(struct pool *p);
/* The same, whatever is out: its users are no more. */
void pool_drop(struct pool *p);
/* NULL when all are out. The contents are what the last user left. */
void *pool_get(struct pool *p);
/* @obj must come from this pool and be out (the range is asserted). */
void pool_put(struct pool *p, void *obj);
static inline size_t pool_free_count(const struct pool *p)
{
	return p->nfree;
}
/* Index of @obj in the pool, 0..n-1. */
size_t pool_index(const struct pool *p, const void *obj);

#endif
