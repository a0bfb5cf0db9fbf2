/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuse_kernel.h - programs that use the file of the production FUSE export, the
 * kernel between them and it, and libfuse: fuse.c's calls of that are answered
 * here, and no /dev/fuse is opened.
 *
 * All that the kernel asks for comes from one lun_client, so there is one client;
 * its requests overlap, begin and end within blocks, and an fsync() asks for
 * what has been answered before.  Nothing is canceled.  When the process ends,
 * or unmounts, whoever waits is told that its end is unknown; after a restart a
 * program may write the same once more.
 */
#ifndef SIM_FUSE_KERNEL_H
#define SIM_FUSE_KERNEL_H

#include <config.h>

#include <stdbool.h>
#include <stddef.h>

struct op;
struct req;
struct world;

#ifdef HAVE_FUSE

/* Mounts it; the LUN's size is known. */
void fuse_world_start(struct world *w);
/* After each step: tells the export what it watches for. */
void fuse_world_watch(struct world *w);
/* It hears of it now. */
void fuse_world_poll(struct world *w);
void fuse_world_killed(struct world *w);
void fuse_world_stop(struct world *w);
bool fuse_world_stopped(const struct world *w);
void fuse_world_fini(struct world *w);

bool fuse_is_up(const struct world *w);
void fuse_send(struct op *op);
/* The operation that the LUN's request @r is for; NULL: it has been answered. */
struct op *fuse_op(const struct world *w, const struct req *r);

#else

/* Nobody asks for it: see main.c. */
static inline void fuse_world_start(struct world *w)
{
}
static inline void fuse_world_watch(struct world *w)
{
}
static inline void fuse_world_poll(struct world *w)
{
}
static inline void fuse_world_killed(struct world *w)
{
}
static inline void fuse_world_stop(struct world *w)
{
}
static inline bool fuse_world_stopped(const struct world *w)
{
	return true;
}
static inline void fuse_world_fini(struct world *w)
{
}
static inline bool fuse_is_up(const struct world *w)
{
	return false;
}
static inline void fuse_send(struct op *op)
{
}
static inline struct op *fuse_op(const struct world *w, const struct req *r)
{
	return NULL;
}

#endif

#endif
