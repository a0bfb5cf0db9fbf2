/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * buf.c - the buddy allocator behind buf.h.
 *
 * The free space is a complete binary tree with one byte a node, apart from the
 * data: node 1 is the arena, nodes 2i and 2i+1 are the halves of node i, the
 * leaves are BUF_MIN_BYTES each.  A node says how large the largest free block
 * below it is, so going left wherever the left half is large enough finds the
 * lowest address that fits, in one step an order.
 *
 * Invariants: a node is OUT if and only if that very block is handed out; below
 * an OUT node, and below a wholly free one, every node is wholly free; any other
 * node is the larger of its children.  So a double free or a wrong size meets a
 * node that is not OUT, and is asserted.
 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/units.h"

#if defined(SANITIZED) && __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, bytes)	  ((void)(start), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(start, bytes) ((void)(start), (void)(bytes))
#endif

#define ALIGN_BYTES_MAX ((size_t)2 * MIB)
#define HUGE_BYTES	ALIGN_BYTES_MAX /* of a page; what lies below is in small ones: a few buffers need no more */
#define KEEP_BYTES	((size_t)8 * MIB) /* are never given back: they would be wanted again */
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* Linux 5.18 */
#endif

/* A node's byte: 0 nothing free, 1 + order of the largest free block, or OUT. */
#define NODE_OUT 0x80u

struct buf_arena {
	char *start;
	size_t bytes;
	unsigned top; /* order of the whole arena; order 0 is BUF_MIN_BYTES */
	size_t in_use, high_water;
	/* Ends of what was handed out since buf_trim(), and of what has memory of the kernel's. */
	size_t reach, touched;
	uint8_t *node; /* 2 << top of them, [0] is not used */
};

static size_t order_bytes(unsigned order)
{
	return (size_t)BUF_MIN_BYTES << order;
}

/* The smallest order that holds @bytes; @bytes is not above the arena's size. */
static unsigned order_of(size_t bytes)
{
	size_t units = (bytes - 1) / BUF_MIN_BYTES;

	return units ? 64u - (unsigned)__builtin_clzll(units) : 0;
}

/* What a parent may count on below this node. */
static uint8_t node_free(uint8_t v)
{
	return v == NODE_OUT ? 0 : v;
}

/* Map @bytes at a multiple of @align: map more, cut off both ends. */
static void *map_aligned(size_t bytes, size_t align)
{
	size_t total = bytes + align, head;
	char *p;

	if (total < bytes)
		return NULL;
	p = mmap(NULL, total, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	head = -(uintptr_t)p & (align - 1);
	if (head)
		munmap(p, head);
	munmap(p + head + bytes, align - head);
	return p + head;
}

int buf_arena_new(size_t arena_bytes, struct buf_arena **ret)
{
	struct buf_arena *a;
	size_t i;

	if (arena_bytes < BUF_MIN_BYTES || (arena_bytes & (arena_bytes - 1)))
		return -EINVAL;
	if (fault_strikes(FAULT_ALLOC))
		return -ENOMEM;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->bytes = arena_bytes;
	a->top = order_of(arena_bytes);
	a->start = map_aligned(arena_bytes, MIN(arena_bytes, ALIGN_BYTES_MAX));
	a->node = a->start ? malloc((size_t)2 << a->top) : NULL;
	if (!a->node) {
		if (a->start)
			munmap(a->start, a->bytes);
		free(a);
		return -ENOMEM;
	}
	a->node[0] = 0;
	a->node[1] = (uint8_t)(a->top + 1);
	for (i = 2; i < (size_t)2 << a->top; i++)
		a->node[i] = (uint8_t)(a->node[i / 2] - 1);
	/* The kernel pins what a device shall fill page by page: 1 MiB took 0.6 to 0.8 of the processor time. */
	if (a->bytes > HUGE_BYTES)
		madvise(a->start + HUGE_BYTES, a->bytes - HUGE_BYTES, MADV_HUGEPAGE);
	ASAN_POISON_MEMORY_REGION(a->start, a->bytes);
	*ret = a;
	return 0;
}

void buf_arena_free(struct buf_arena *a)
{
	if (!a)
		return;
	assert(a->in_use == 0);
	assert(a->node[1] == a->top + 1);
	buf_arena_drop(a);
}

void buf_arena_drop(struct buf_arena *a)
{
	ASAN_UNPOISON_MEMORY_REGION(a->start, a->bytes);
	munmap(a->start, a->bytes);
	free(a->node);
	free(a);
}

/* @i changed: bring the nodes above it up to date, as far as they change; @order is that of @i. */
static void update_parents(struct buf_arena *a, size_t i, unsigned order)
{
	for (i /= 2; i; i /= 2, order++) {
		uint8_t left = node_free(a->node[2 * i]);
		uint8_t right = node_free(a->node[2 * i + 1]);
		uint8_t now = MAX(left, right);

		if (left == order + 1 && right == order + 1)
			now = (uint8_t)(order + 2);
		if (a->node[i] == now)
			break;
		a->node[i] = now;
	}
}

void *buf_get(struct buf_arena *a, size_t bytes)
{
	unsigned order, at;
	size_t i = 1;
	char *buf;

	assert(bytes > 0);
	if (bytes > a->bytes)
		return NULL;
	order = order_of(bytes);
	if (node_free(a->node[1]) < order + 1)
		return NULL;
	for (at = a->top; at > order; at--) {
		i *= 2;
		if (node_free(a->node[i]) < order + 1)
			i++;
	}
	assert(a->node[i] == order + 1);
	a->node[i] = NODE_OUT;
	update_parents(a, i, order);

	a->in_use += order_bytes(order);
	a->high_water = MAX(a->high_water, a->in_use);
	buf = a->start + (i - ((size_t)1 << (a->top - order))) * order_bytes(order);
	a->reach = MAX(a->reach, (size_t)(buf - a->start) + order_bytes(order));
	ASAN_UNPOISON_MEMORY_REGION(buf, order_bytes(order));
	return buf;
}

void buf_put(struct buf_arena *a, void *buf, size_t bytes)
{
	size_t offset = (uintptr_t)buf - (uintptr_t)a->start, i;
	unsigned order;

	assert(bytes > 0 && bytes <= a->bytes);
	assert(offset < a->bytes);
	order = order_of(bytes);
	assert((offset & (order_bytes(order) - 1)) == 0);
	i = ((size_t)1 << (a->top - order)) + offset / order_bytes(order);
	assert(a->node[i] == NODE_OUT);
	assert(a->in_use >= order_bytes(order));

	ASAN_POISON_MEMORY_REGION(buf, order_bytes(order));
	a->in_use -= order_bytes(order);
	a->node[i] = (uint8_t)(order + 1);
	update_parents(a, i, order);
}

/* Where the last block that is out ends; 0: none is. */
static size_t end_of_use(const struct buf_arena *a)
{
	unsigned order = a->top;
	size_t i = 1;

	if (!a->in_use)
		return 0;
	for (; a->node[i] != NODE_OUT; order--)
		i = 2 * i + (a->node[2 * i + 1] != order); /* that is: not wholly free */
	return (i - ((size_t)1 << (a->top - order)) + 1) * order_bytes(order);
}

static size_t huge_up(size_t bytes)
{
	return (bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
}

size_t buf_trim(struct buf_arena *a)
{
	size_t keep = huge_up(MAX(MAX(a->reach, end_of_use(a)), KEEP_BYTES)), bytes;
	int r;

	a->touched = MAX(a->touched, MIN(huge_up(a->reach), a->bytes));
	if (a->touched <= keep) {
		a->reach = 0;
		return 0;
	}
	bytes = MIN(a->touched - keep, BUF_TRIM_BYTES_MAX);
	keep = a->touched - bytes;
	r = madvise(a->start + keep, bytes, MADV_DONTNEED_LOCKED);
	if (r < 0 && errno == EINVAL)
		r = madvise(a->start + keep, bytes, MADV_DONTNEED); /* an older kernel: not if it is locked */
	if (r < 0)
		bytes = 0;
	a->touched -= bytes;
	if (bytes < BUF_TRIM_BYTES_MAX)
		a->reach = 0;
	return bytes;
}

void buf_arena_range(const struct buf_arena *a, void **ret_start, size_t *ret_bytes)
{
	*ret_start = a->start;
	*ret_bytes = a->bytes;
}

size_t buf_in_use(const struct buf_arena *a)
{
	return a->in_use;
}

size_t buf_high_water(const struct buf_arena *a)
{
	return a->high_water;
}
