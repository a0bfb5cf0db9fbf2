/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resize.c - the administrator says that the LUN may have another size now.
 *
 * Each usable path is asked, one after the other: a path under its check
 * carries no data, and the others go on.  The size in force grows as it always
 * does, when all usable paths agree (lun_paths.c); a smaller one is never
 * taken, and ends the asking, since it costs the path that tells it.
 */
#include "core/lun_priv.h"

#include <errno.h>
#include <stdio.h>

static struct path *resize_next(const struct lun_resize *rs)
{
	struct path *p;

	TAILQ_FOREACH (p, &rs->lun->paths, link)
		if (path_is_usable(p) && !(rs->asked[p->index / 64] >> (p->index % 64) & 1))
			return p;
	return NULL;
}

/* The usable path that tells the smallest size; what the others have at most. */
static struct path *resize_smallest(const struct lun *lun, uint64_t *ret_largest)
{
	struct path *p, *smallest = NULL;

	*ret_largest = 0;
	TAILQ_FOREACH (p, &lun->paths, link) {
		if (!path_is_usable(p))
			continue;
		if (!smallest || p->info.nblocks < smallest->info.nblocks)
			smallest = p;
		*ret_largest = MAX(*ret_largest, p->info.nblocks);
	}
	return smallest;
}

static bool resize_waits(const struct lun *lun)
{
	const struct path *p;

	TAILQ_FOREACH (p, &lun->paths, link)
		if (p->state == PATH_FOUND || p->state == PATH_CHECKING)
			return true;
	return false;
}

/* A path that is not used because it tells of a smaller LUN, asked just now or before; or NULL. */
static const struct path *resize_small(const struct lun *lun)
{
	const struct path *p;

	TAILQ_FOREACH (p, &lun->paths, link)
		if (p->state == PATH_FAILED && p->small_blocks)
			return p;
	return NULL;
}

static enum lun_resize_state resize_shrunk(struct lun_resize *rs, const struct path *p)
{
	snprintf(rs->path, sizeof(rs->path), "%s", p->name);
	rs->told_blocks = p->small_blocks;
	rs->new_blocks = rs->lun->geo.nblocks;
	return RESIZE_SHRUNK;
}

static enum lun_resize_state resize_end(struct lun_resize *rs)
{
	struct lun *lun = rs->lun;
	const struct path *p = resize_smallest(lun, &rs->told_blocks);

	rs->new_blocks = lun->geo.nblocks;
	if (!p)
		return RESIZE_NO_PATH;
	if (rs->told_blocks > lun->geo.nblocks) {
		snprintf(rs->path, sizeof(rs->path), "%s", p->name);
		return RESIZE_DIFFERS;
	}
	if (rs->new_blocks > rs->old_blocks)
		return RESIZE_GROWN;
	p = resize_small(lun);
	return p ? resize_shrunk(rs, p) : RESIZE_SAME;
}

enum lun_resize_state lun_resize_step(struct lun_resize *rs)
{
	struct lun *lun = rs->lun;
	struct path *p;

	if (lun->state >= LUN_DRAINING)
		return RESIZE_NO_PATH;
	if (resize_waits(lun))
		return RESIZE_RUNNING;
	p = lun_find_path(lun, rs->path);
	if (p && p->state == PATH_FAILED && p->small_blocks)
		return resize_shrunk(rs, p);
	p = resize_next(rs);
	if (!p)
		return resize_end(rs);
	rs->asked[p->index / 64] |= 1ull << (p->index % 64);
	snprintf(rs->path, sizeof(rs->path), "%s", p->name);
	lun_recheck_path(lun, p, "the LUN may have another size");
	return RESIZE_RUNNING;
}

int lun_resize_begin(struct lun *lun, struct lun_resize *ret)
{
	if (lun->state >= LUN_DRAINING)
		return -ESHUTDOWN;
	if (!lun->geo_valid || !lun->nusable)
		return -ENETDOWN;
	*ret = (struct lun_resize){ .lun = lun, .old_blocks = lun->geo.nblocks,
				    .new_blocks = lun->geo.nblocks };
	/* What was told and asked before is asked and told again. */
	lun->grow_asked = 0;
	lun->shrunk_told = 0;
	lun_resize_step(ret);
	return 0;
}
