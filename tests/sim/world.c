/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world.c - the run of one seed: load, heal, read back, power loss, stop. See world.h. */
#include "world.h"

#include "wire.h"

#include "sg_kernel.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/units.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* No load takes longer; what then is still out is held by a dark LUN and ends after the healing. */
#define LOAD_NS (600 * NS_PER_SEC)
/* Nor more steps an operation: when nearly all are the nemesis' on a dark LUN, the next seed finds more. */
#define LOAD_STEPS 30u
/* A lost command 30 s, on a few paths one after the other, checks, delays between attempts. */
#define HEAL_NS (300 * NS_PER_SEC)
#define STOP_NS (120 * NS_PER_SEC)
#define GRACE_NS (60 * NS_PER_SEC)

/* --- the LUN's state ----------------------------------------------------------------- */

static bool any_path_left(const struct world *w)
{
	for (struct path *p = lun_next_path(w->lun, NULL); p; p = lun_next_path(w->lun, p))
		if (path_is_available(p))
			return true;
	return false;
}

static bool any_path_checked(const struct world *w)
{
	for (struct path *p = lun_next_path(w->lun, NULL); p; p = lun_next_path(w->lun, p))
		if (p->state == PATH_FOUND || p->state == PATH_CHECKING)
			return true;
	return false;
}

/* Requests may fail only when the no-path policy says so: its time runs from the first moment
 * without a usable path, and a path that passes checks and no command does not end it. */
static void check_failing(struct world *w)
{
	const struct lun_params *par = &w->cfg.par;
	uint64_t dark_ns = world_now_ns(w) - w->unproven_since_ns;

	/* The last one may have been dropped, and the next one found, in one step. */
	if (!any_path_left(w) || par->no_path == NO_PATH_FAIL || w->steps - w->dropped_step <= 2)
		return;
	if (par->no_path == NO_PATH_QUEUE)
		world_fail(w, "O6", "the LUN fails requests although it shall hold them for ever");
	if (!w->unproven_since_ns || dark_ns + w->slept_ns < par->no_path_checks * par->polling_interval_ns)
		world_fail(w, "O6", "the LUN fails requests after %llu ms without a path, before its time",
			   (unsigned long long)(dark_ns / NS_PER_MS));
}

static bool any_path_moves(const struct world *w)
{
	for (struct path *p = lun_next_path(w->lun, NULL); p; p = lun_next_path(w->lun, p))
		if (p->state == PATH_TRANSITIONING || p->awaited)
			return true;
	return false;
}

static void check_dark(struct world *w)
{
	const struct lun_params *par = &w->cfg.par;
	uint64_t dark_ns;

	/* The end of a transition is waited for first. */
	if (!w->dark_counts)
		w->dark_since_ns = world_now_ns(w);
	w->dark_counts |= !any_path_moves(w);
	dark_ns = world_now_ns(w) - w->dark_since_ns;

	if (par->no_path == NO_PATH_FAIL && !any_path_checked(w) && !any_path_moves(w))
		world_fail(w, "O6", "the LUN holds requests although it shall fail them");
	if (par->no_path == NO_PATH_RETRY && dark_ns > par->no_path_checks * par->polling_interval_ns + w->slept_ns)
		world_fail(w, "O6", "the LUN still holds requests after %llu ms without a path",
			   (unsigned long long)(dark_ns / NS_PER_MS));
}

void world_poll_lun(struct world *w)
{
	enum lun_state now;

	if (!w->lun)
		return;
	now = lun_get_state(w->lun);
	if (now == LUN_FAILING)
		w->failing_tick = w->oracle.tick;
	if (now != w->lun_state) {
		world_trace(w, WE_LUN, now, w->lun_state, 0, 0);
		if (now == LUN_DARK) {
			w->dark_since_ns = world_now_ns(w);
			w->dark_counts = false;
			if (!w->unproven_since_ns)
				w->unproven_since_ns = w->dark_since_ns;
		} else if (now == LUN_FAILING)
			check_failing(w);
		w->lun_state = now;
	}
	if (now == LUN_DARK)
		check_dark(w);
}

/* --- the cache ------------------------------------------------------------------------ */

/* Also those of which a client has heard already that they may be lost: core does not tell whose was
 * what, and rather tells twice than not at all. */
static bool writes_are_exposed(struct world *w)
{
	return oracle_has_unflushed(&w->oracle) || clients_write(&w->clients) ||
	       (w->acked_ns && w->acked_ns >= w->flushed_ns);
}

void world_lost(struct world *w, bool told)
{
	if (told || writes_are_exposed(w))
		w->loss_tick = world_tick(w);
	w->oracle.lost = w->oracle.doubt = world_tick(w);
}

void world_reset_told(struct world *w, const struct nexus *n)
{
	w->oracle.doubt = world_tick(w);
	if (!writes_are_exposed(w))
		return;
	w->reset_tick = world_tick(w);
	w->reset_nexus = n->id;
	if (!nexus_has_witness(n))
		w->bare_reset_tick = w->reset_tick;
}

/* --- stepping ---------------------------------------------------------------------------- */

static void describe_stuck(struct world *w, const char *what)
{
	struct op *op = clients_oldest(&w->clients);
	struct lun_stats st;

	lun_get_stats(w->lun, &st);
	if (op)
		world_fail(w, "O6",
			   "%s: LUN %s, %u in flight (array %u), %u queued, %u held; operation %u (%s %llu+%u) is out"
			   " for %llu ms, %u sends",
			   what, lun_state_name(lun_get_state(w->lun)), st.inflight, w->array.inflight, st.queued,
			   st.held_now, op->id, req_op_name(op->kind), (unsigned long long)op->lba, op->nblocks,
			   (unsigned long long)((world_now_ns(w) - op->begin_ns) / NS_PER_MS), op->sends);
	world_fail(w, "O6", "%s: LUN %s, %u in flight (array %u), %u queued, %u held, %u requests not given back", what,
		   lun_state_name(lun_get_state(w->lun)), st.inflight, w->array.inflight, st.queued, st.held_now,
		   st.reqs_out);
}

static void world_print_state(struct world *w)
{
	struct lun_stats st;

	lun_get_stats(w->lun, &st);
	printf("# at %llu ns, step %llu: LUN %s, %u in flight, depth %u, %u queued, %u held, %u requests out\n",
	       (unsigned long long)(world_now_ns(w) - w->start_ns), (unsigned long long)w->steps,
	       lun_state_name(lun_get_state(w->lun)), st.inflight, st.depth, st.queued, st.held_now, st.reqs_out);
	for (struct path *p = lun_next_path(w->lun, NULL); p; p = lun_next_path(w->lun, p))
		printf("#   %s: %s (%s), %u in flight\n", p->name, path_state_name(p->state), p->why, p->inflight);
}

/* One step, and all that holds after each. False: nothing will ever happen again. */
static bool world_step(struct world *w)
{
	bool more = killer_step(&w->killer);

	w->steps++;
	if (!w->lun)
		return true;
	world_poll_lun(w);
	/* Core acts on the end of a command in the step after: only then does it count. */
	if (w->good_before && w->lun_state == LUN_UP)
		w->unproven_since_ns = 0;
	w->good_before = w->good_ended;
	w->good_ended = false;
	for (unsigned i = 0; i < w->cfg.npaths; i++) {
		nexus_watch(&w->array.nexus[i]);
		if (w->opt->sg)
			sgk_watch(&w->array.nexus[i]);
	}
	nexus_watch_failback(w);
	if (w->nbd)
		wires_watch(w);
	fuse_world_watch(w);
	if (w->steps % w->opt->verify_every == 0)
		lun_verify(w->lun);
	if (world_now_ns(w) - w->start_ns >= w->opt->until_ns) {
		world_print_state(w);
		exit(0);
	}
	return more;
}

/* Until @done says so; it has to within @bound_ns. */
static void world_until(struct world *w, bool (*done)(struct world *w), uint64_t bound_ns, const char *what)
{
	uint64_t end_ns = world_now_ns(w) + bound_ns;

	while (!done(w)) {
		if (!world_step(w) && !done(w))
			describe_stuck(w, what);
		if (world_now_ns(w) > end_ns)
			describe_stuck(w, what);
	}
}

static void world_enter(struct world *w, enum world_phase phase)
{
	w->phase = phase;
	world_trace(w, WE_PHASE, phase, 0, 0, 0);
}

/* --- phases ------------------------------------------------------------------------------ */

static bool load_is_over(struct world *w)
{
	if (w->stop_asked)
		return true;
	if (w->killer.away)
		return false;
	return world_now_ns(w) - w->start_ns >= LOAD_NS || w->steps >= LOAD_STEPS * (uint64_t)MAX(w->opt->nops, 200u) ||
	       (w->clients.nanswered >= w->opt->nops && clients_idle(&w->clients));
}

static bool is_answered(struct world *w)
{
	return clients_idle(&w->clients);
}

static bool is_up(struct world *w)
{
	return lun_get_state(w->lun) == LUN_UP;
}

static bool is_read_back(struct world *w)
{
	return w->clients.readback_lba >= w->cfg.nblocks && clients_idle(&w->clients);
}

static bool is_stopped(struct world *w)
{
	return lun_get_state(w->lun) == LUN_STOPPED && nbd_world_stopped(w) && fuse_world_stopped(w) && clients_idle(&w->clients);
}

static void stop_due(struct loop_timer *t)
{
	struct world *w = container_of(t, struct world, stop_timer);

	w->stop_asked = true;
	nbd_world_stop(w);
	fuse_world_stop(w);
	lun_stop(w->lun, w->cfg.stop_grace_ns);
}

/* Not from inside done(), which may only submit. */
void world_stop(struct world *w, uint64_t grace_ns)
{
	w->cfg.stop_grace_ns = grace_ns;
	loop_timer_in(w->loop, &w->stop_timer, 0);
}

static void world_heal(struct world *w)
{
	int only = w->cfg.heal_one ? (int)prng_below(&w->nemesis.prng, w->cfg.npaths) : -1;

	world_enter(w, WP_HEAL);
	clients_quiet(&w->clients);
	nemesis_heal(&w->nemesis, only);
	world_until(w, is_answered, HEAL_NS, "after the healing requests stay unanswered");
	world_until(w, is_up, HEAL_NS, "after the healing the LUN does not come back");
}

/* Everything that was answered before may be lost, but for what was flushed. */
static void world_power_loss(struct world *w)
{
	struct prng r;

	prng_init(&r, w->seed, ENT_POWER);
	world_trace(w, WE_POWER, 0, 0, 0, 0);
	array_lose_cache(&w->array, &r, 50);
	for (uint32_t c = 0; c < w->array.ncells; c++)
		oracle_check_survivor(&w->oracle, c, array_now(&w->array, c), "after a power loss");
}

/* Is every path in order and known to be so, with nothing out that may yet tell of an older fault? Then a stop loses
 * nothing at all. */
static bool all_is_well(const struct world *w)
{
	for (unsigned i = 0; i < w->cfg.npaths; i++) {
		const struct nexus *n = &w->array.nexus[i];

		if (!nexus_is_good(n) || n->attention || !path_is_usable(n->path))
			return false;
	}
	return w->lun_state == LUN_UP && !w->array.inflight;
}

static void world_end(struct world *w, bool clean)
{
	struct lun_stats st;

	nemesis_end(&w->nemesis);
	world_until(w, is_stopped, STOP_NS, "the LUN does not stop");
	loop_timer_stop(w->loop, &w->stop_timer);
	while (world_step(w))
		;
	lun_get_stats(w->lun, &st);
	if (w->array.inflight || st.inflight || st.reqs_out || st.buf_bytes || st.queued || st.held_now)
		world_fail(w, "O4", "at the end %u at the array, %u in flight, %u requests, %llu bytes, %u queued, %u held",
			   w->array.inflight, st.inflight, st.reqs_out, (unsigned long long)st.buf_bytes, st.queued,
			   st.held_now);
	if (!clean)
		return;
	/* Nobody asks any more whether what was lost before was lost. */
	oracle_told(&w->oracle, SIM_CLIENTS_MAX + 1, false);
	oracle_flushed(&w->oracle, SIM_CLIENTS_MAX + 1, TICK_NEVER);
	for (uint32_t c = 0; c < w->array.ncells; c++)
		oracle_check_survivor(&w->oracle, c, array_stable(&w->array, c), "after a clean stop");
}

static void world_live(struct world *w)
{
	bool clean;

	world_until(w, is_up, HEAL_NS, "no path comes up");
	clients_start(&w->clients);
	nemesis_start(&w->nemesis);
	world_enter(w, WP_LOAD);
	world_until(w, load_is_over, NS_NEVER / 2, "the load stands still");
	if (w->stop_asked) {
		world_enter(w, WP_STOP);
		world_until(w, is_stopped, STOP_NS + w->cfg.stop_grace_ns, "the LUN does not stop");
		world_end(w, false);
		return;
	}
	w->cfg.stop_at = 0;
	world_heal(w);
	world_enter(w, WP_READBACK);
	clients_read_back(&w->clients);
	world_until(w, is_read_back, HEAL_NS, "reading everything back");
	if (w->cfg.crash)
		world_power_loss(w);
	world_enter(w, WP_STOP);
	clean = !w->cfg.crash && all_is_well(w);
	w->stop_asked = true;
	nbd_world_stop(w);
	fuse_world_stop(w);
	lun_stop(w->lun, GRACE_NS);
	world_end(w, clean);
}

void world_new_lun(struct world *w, const struct lun_params *par)
{
	struct lun_params p = *par;
	int r;

	p.slots = w->killer.slots;
	p.debts = &w->killer.debts;
	p.slots_block_bytes = w->cfg.block_bytes;
	r = lun_new(w->loop, &p, &w->lun);
	assert(r == 0);
	nbd_world_start(w);
	loop_timer_init(&w->stop_timer, stop_due);
	w->lun_state = LUN_STARTING;
	w->carriers = w->prompt = 0;
	w->dark_since_ns = w->unproven_since_ns = 0;
	w->good_ended = w->good_before = false;
}

/* --- making and ending the world ------------------------------------------------------------ */

static void world_init(struct world *w, uint64_t seed, const struct world_options *opt)
{
	*w = (struct world){ .seed = seed, .opt = opt, .start_ns = 1000 * NS_PER_SEC };
	swarm_draw(&w->cfg, seed, opt->nops);
	swarm_cut(&w->cfg, opt->max_paths, opt->max_clients, opt->max_iodepth, opt->without);
	if (opt->trace)
		swarm_print(&w->cfg);
	fault_disarm_all();
	if (opt->plant >= 0)
		/* From the start, or when some of it has gone well: rare places are passed once a run. */
		fault_arm((enum fault_site)opt->plant, 1 + (prng_mix(seed) & 1) * (prng_mix(seed) % 20), 0);
	w->loop = loop_sim_new(w->start_ns);
	assert(w->loop);
	if (opt->sg)
		sgk_init(w);
	killer_init(&w->killer, w);
	world_new_lun(w, &w->cfg.par);
	array_init(&w->array, w);
	oracle_init(&w->oracle, w, w->array.ncells);
	clients_init(&w->clients, w);
	nemesis_init(&w->nemesis, w);
	for (unsigned i = 0; i < w->cfg.npaths; i++)
		nexus_add(&w->array.nexus[i]);
}

static void world_fini(struct world *w)
{
	nbd_world_fini(w);
	fuse_world_fini(w);
	clients_fini(&w->clients);
	lun_free(w->lun);
	sgk_fini();
	killer_fini(&w->killer);
	loop_free(w->loop);
	oracle_fini(&w->oracle);
	array_fini(&w->array);
	fault_disarm_all();
}

void world_run(uint64_t seed, const struct world_options *opt, struct world_result *ret)
{
	struct world *w = malloc(sizeof(*w));

	assert(w);
	world_init(w, seed, opt);
	w->phase = WP_HEAL; /* no bad luck before it is up */
	world_live(w);
	*ret = (struct world_result){ .hash = w->hash,
				      .steps = w->steps,
				      .virtual_ns = world_now_ns(w) - w->start_ns,
				      .nops = w->clients.nanswered,
				      .ncmds = w->array.ncmds };
	world_fini(w);
	free(w);
}
