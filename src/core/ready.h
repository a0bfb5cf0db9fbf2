/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ready.h - the good paths of the current group that have room, the selector's
 * first choice on top: a heap, so that a choice costs the same with two paths
 * and with two hundred.
 *
 * It holds what lun_pick_path() would find by asking all of them, for commands
 * that no path has sent away, and for selectors whose order is that of a number
 * (sel_ops.cost); lun_pick_path() asks all of them where it cannot say.
 */
#ifndef CORE_READY_H
#define CORE_READY_H

#include "base/limits.h"

#include <stdbool.h>

struct lun;
struct path;

struct ready {
	struct path *at[PATHS_MAX];
	unsigned n;
	bool known; /* else it has to be made first */
};

/* Groups, states, caps or the selector are others: it is made anew when it is asked. */
void ready_forget(struct lun *lun);
/* @p has taken a command, or one has ended, or it has room or none. */
void ready_update(struct path *p);
/* False: it cannot say. Else *ret is the path for the elevator's next, NULL to wait for one. */
bool ready_pick(struct lun *lun, struct path **ret);
void ready_verify(struct lun *lun);

#endif
