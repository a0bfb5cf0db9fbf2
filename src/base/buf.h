/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * buf.h - data buffers out of one arena: a buddy allocator over memory that is
 * reserved once.  Sizes are powers of two from BUF_MIN_BYTES; a buffer is
 * aligned to its size (at most 2 MiB), so O_DIRECT takes it.  The lowest free
 * address is used first, so a small load touches few pages and keeps them warm.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf_arena;

/* @arena_bytes: a power of two, at least BUF_MIN_BYTES. 0 or -ENOMEM/-EINVAL. */
int buf_arena_new(size_t arena_bytes, struct buf_arena **ret);
/* Accepts NULL. All buffers must be back (asserted). */
void buf_arena_free(struct buf_arena *a);
/* The same, whatever is out: its users are no more. */
void buf_arena_drop(struct buf_arena *a);
/* A buffer of at least @bytes (> 0), or NULL when none is free now. Never blocks. */
void *buf_get(struct buf_arena *a, size_t bytes);
/* @bytes: as asked for in buf_get. */
void buf_put(struct buf_arena *a, void *buf, size_t bytes);
/* Give memory back that lies behind all that was handed out since the last call that returned less than
 * BUF_TRIM_BYTES_MAX: how many bytes. That much is taken at once, since the kernel takes a millisecond or two for it; then
 * there may be more. Blocks are taken from the start of the arena, so what a peak has needed lies at the end. */
size_t buf_trim(struct buf_arena *a);
#define BUF_TRIM_BYTES_MAX ((size_t)8 << 20)
/* Start and size of the whole arena, for registration with io_uring. */
void buf_arena_range(const struct buf_arena *a, void **ret_start, size_t *ret_bytes);
/* Bytes handed out now, and the most there ever were. */
size_t buf_in_use(const struct buf_arena *a);
size_t buf_high_water(const struct buf_arena *a);

#endif
