/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lun_live.c - parameters that change while I/O runs.
 *
 * What a parameter governs is looked up when it is needed, so most of them only
 * have to be written down; here is what has been derived from them, or waits
 * for a time that they gave.
 */
#include "core/lun_priv.h"

#include <errno.h>
#include <string.h>

void lun_set_selector(struct lun *lun, enum sel_kind kind)
{
	lun->par.selector = kind;
	lun->sel = sel_by_kind(kind);
	ready_forget(lun);
	lun_dirty(lun);
}

void lun_set_depth(struct lun *lun, unsigned depth)
{
	lun->par.depth = MIN(depth, (unsigned)lun->cmds.n);
	lun_update_limits(lun);
	lun_dirty(lun);
}

static void live_elevator(struct lun *lun, const struct lun_params *old)
{
	const struct lun_params *par = &lun->par;
	enum elv_kind kind = par->elevator;

	lun->elv.tun.expire_ns[ELV_READ] = par->read_expire_ns;
	lun->elv.tun.expire_ns[ELV_WRITE] = par->write_expire_ns;
	lun->elv.tun.fifo_batch = par->fifo_batch;
	lun->elv.tun.writes_starved = par->writes_starved;
	if (kind == old->elevator)
		return;
	if (kind == ELV_AUTO) /* as lun_learn() chooses */
		kind = lun->geo_valid && !lun->geo.rotational ? ELV_FIFO : ELV_DEADLINE;
	elv_set_policy(&lun->elv, kind);
}

/* Every path is checked at the new pace from now on, not when the old one comes round. */
static void live_polling(struct lun *lun, const struct lun_params *old)
{
	const struct lun_params *par = &lun->par;
	struct path *p;

	if (par->polling_interval_ns == old->polling_interval_ns &&
	    par->max_polling_interval_ns == old->max_polling_interval_ns)
		return;
	TAILQ_FOREACH (p, &lun->paths, link) {
		p->probe_interval_ns = par->polling_interval_ns;
		probe_reschedule(p);
	}
}

/* The time without a path counts from now on as the new parameters say; what fails already goes on
 * failing, unless it may be held without a limit. */
static void live_no_path(struct lun *lun, const struct lun_params *old)
{
	const struct lun_params *par = &lun->par;

	if (par->no_path == old->no_path && par->no_path_checks == old->no_path_checks &&
	    par->polling_interval_ns == old->polling_interval_ns)
		return;
	loop_timer_stop(lun->loop, &lun->no_path_timer);
	if (par->no_path == NO_PATH_QUEUE && old->no_path != NO_PATH_QUEUE)
		lun->no_path_over = false;
	lun_hold_or_fail(lun, "no usable path, requests are held as no_path_retry says now");
}

/* A group that was chosen by hand stays; a time that runs starts again. */
static void live_groups(struct lun *lun, const struct lun_params *old)
{
	const struct lun_params *par = &lun->par;

	if (par->failback != old->failback || par->failback_ns != old->failback_ns) {
		loop_timer_stop(lun->loop, &lun->failback_timer);
		lun->failing_back = false;
	}
	/* Groups, current one, caps and limits anew. */
	lun_path_changed(lun, NULL);
}

int lun_apply(struct lun *lun, const struct lun_params *p)
{
	struct lun_params old = lun->par, *par = &lun->par;
	int r = lun_check_params(p);

	if (r < 0)
		return r;
	*par = *p;
	/* What the LUN was made with. */
	memcpy(par->name, old.name, sizeof(par->name));
	memcpy(par->wwid, old.wwid, sizeof(par->wwid));
	memcpy(par->numa_distance, old.numa_distance, sizeof(par->numa_distance));
	par->read_only = old.read_only;
	par->max_reqs = old.max_reqs;
	par->buffer_bytes = old.buffer_bytes;
	par->max_cmd_bytes = old.max_cmd_bytes;
	par->expect_paths = old.expect_paths;
	par->max_ghosts = old.max_ghosts;
	par->slots = old.slots;
	par->debts = old.debts;
	par->slots_block_bytes = old.slots_block_bytes;
	par->hold_writes_ns = old.hold_writes_ns;
	par->restored_ghost_ns = old.restored_ghost_ns;
	par->depth = MIN(p->depth, (unsigned)lun->cmds.n);

	lun->sel = sel_by_kind(par->selector);
	ready_forget(lun);
	live_elevator(lun, &old);
	if (lun->state < LUN_DRAINING) {
		live_polling(lun, &old);
		live_no_path(lun, &old);
		live_groups(lun, &old);
	}
	lun_dirty(lun);
	return 0;
}
