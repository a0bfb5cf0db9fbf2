/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inflight.c - the table of writes in flight, and those that an earlier process
 * has left: how long they may land, and when the kernel is done with them.
 */
#include "daemon/daemon.h"

#include "base/log.h"
#include "core/ledger.h"

#include <string.h>
#include <time.h>

#define LOOK_NS (250 * NS_PER_MS)

static bool is_other_lun(void *arg, const char *name)
{
	const struct daemon *d = arg;
	const struct lun_conf *lc = config_find(d->live.config, name);

	return lc && lc != d->lc && strcmp(lc->alias, name) == 0;
}

/* A kernel that was started by another one, without a reset, may have inherited writes. */
static uint64_t boot_hold_ns(const struct daemon *d)
{
	const struct lun_conf *lc = d->lc;
	bool sg = !lc->npaths && strncmp(lc->wwid, "file:", 5) != 0;
	struct timespec up;
	uint64_t up_ns;

	for (size_t i = 0; i < lc->npaths; i++)
		sg |= discover_kind_of(lc->paths[i]) == DISCOVER_SG;
	if (!sg || !lc->boot_hold || lc->read_only || clock_gettime(CLOCK_BOOTTIME, &up) < 0)
		return 0;
	up_ns = (uint64_t)up.tv_sec * NS_PER_SEC + (uint64_t)up.tv_nsec;
	return up_ns < lc->ghost_time_ns ? lc->ghost_time_ns - up_ns : 0;
}

int inflight_start(struct daemon *d, struct lun_params *par)
{
	struct inflight_conf conf = { .rundir = d->rundir, .name = d->lc->alias, .wwid = d->lc->wwid,
				      .max_reqs = par->max_reqs, .max_ghosts = par->max_ghosts,
				      .is_other = is_other_lun, .arg = d };
	int r = inflight_open(&d->inflight, &conf);

	if (r < 0)
		return r;
	par->slots = d->inflight.slots;
	par->debts = d->inflight.debts;
	par->slots_block_bytes = d->inflight.block_bytes;
	par->hold_writes_ns = boot_hold_ns(d);
	/* Without a time nothing is held, as in this process. */
	if (par->ghost_time_ns)
		par->restored_ghost_ns = d->lc->io_timeout_ns + GHOST_RECOVERY_NS + par->ghost_time_ns;
	if (par->hold_writes_ns)
		log_notice("writes wait for %.1f s: boot_hold, the machine has been up for less than ghost_time",
			   (double)par->hold_writes_ns / 1e9);
	return 0;
}

static uint64_t ghost_until(void *arg, const struct ledger_slot *slot, uint64_t now_ns)
{
	struct daemon *d = arg;

	return inflight_until(&d->look, slot, now_ns, lun_params(d->lun)->ghost_time_ns);
}

static void inflight_look(struct loop_timer *t)
{
	struct daemon *d = container_of(t, struct daemon, look_timer);

	inflight_look_again(&d->look);
	lun_shorten_ghosts(d->lun, ghost_until, d);
	if (lun_ghosts_of_others(d->lun))
		loop_timer_in(d->loop, t, LOOK_NS);
	else
		log_notice("nothing that an earlier process has left can land any more");
}

void inflight_watch(struct daemon *d)
{
	struct lun_stats st;

	loop_timer_init(&d->look_timer, inflight_look);
	if (!lun_ghosts_of_others(d->lun))
		return;
	/* Before a path of ours makes the devices busy. */
	inflight_look_again(&d->look);
	lun_shorten_ghosts(d->lun, ghost_until, d);
	lun_get_stats(d->lun, &st);
	if (!st.ghosts_left_ns) {
		log_notice("%u writes of an earlier process have ended after it", d->inflight.nwrites);
		return;
	}
	if (d->inflight.nwrites)
		log_notice("%u writes of an earlier process may still land, for %.1f s at most: other writes to "
			   "their blocks wait", d->inflight.nwrites, (double)st.ghosts_left_ns / 1e9);
	loop_timer_in(d->loop, &d->look_timer, LOOK_NS);
}

void inflight_learn(struct daemon *d)
{
	struct lun_geometry g;

	if (d->inflight_known || !lun_geometry(d->lun, &g))
		return;
	inflight_set_block_bytes(&d->inflight, g.block_bytes);
	d->inflight_known = true;
}

void inflight_end(struct daemon *d)
{
	if (d->look_timer.fn)
		loop_timer_stop(d->loop, &d->look_timer);
	inflight_close(&d->inflight);
}
