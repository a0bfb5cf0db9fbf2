/* SPDX-License-Identifier: GPL-2.0-or-later */
/* killer.c - see killer.h. */
#include "killer.h"

#include "world.h"

#include "fuse_kernel.h"
#include "sg_kernel.h"
#include "wire.h"

#include "base/units.h"
#include "core/ledger.h"
#include "loop/loop_body.h"

#include <assert.h>
#include <stdlib.h>

/* The longest that the model's kernel keeps a command: see LOST_NS in fate.c. */
#define COMMAND_NS (30 * NS_PER_SEC)
#define LOOK_NS (250 * NS_PER_MS)
/* Until the next process serves; so many are enough. */
#define POLL_NS (10 * NS_PER_MS)
#define START_POLLS 3000u

static void killer_arm(struct killer *k)
{
	const struct world *w = k->w;

	k->after = w->clients.nanswered + (unsigned)draw(&k->prng, 0, w->opt->nops / 2);
	/* The moment between the slot and the command is the one that counts. */
	k->point = (enum kill_point)MIN(draw(&k->prng, 0, KILL_NR), (uint64_t)KILL_SENT);
	k->skip = (unsigned)draw(&k->prng, 0, 40);
}

static bool killer_strikes(struct killer *k, enum kill_point point)
{
	const struct world *w = k->w;

	if (!k->left || k->away || point != k->point || w->phase != WP_LOAD || w->stop_asked ||
	    loop_timer_running(&w->stop_timer) || w->clients.nanswered < k->after)
		return false;
	return k->skip-- == 0;
}

void killer_point(struct world *w, enum kill_point point)
{
	if (killer_strikes(&w->killer, point))
		longjmp(w->killer.env, 1);
}

/* --- the next process --------------------------------------------------------------------- */

/* What sysfs would say, at the first moment. */
static uint64_t ghost_until(void *arg, const struct ledger_slot *slot, uint64_t now_ns)
{
	const struct killer *k = arg;
	uint64_t until = k->killed_ns;

	for (unsigned i = 0; i < 2; i++) {
		uint32_t dev_id = slot->path[i] & 0xfffff; /* the minor number */

		if (!dev_id)
			continue;
		if (dev_id > SIM_PATHS_MAX)
			return NS_NEVER;
		until = MAX(until, k->w->array.old_end_ns[dev_id]);
	}
	return until > now_ns ? NS_NEVER : until + k->w->cfg.par.ghost_time_ns;
}

static void killer_look(struct loop_timer *t)
{
	struct killer *k = container_of(t, struct killer, timer);

	lun_shorten_ghosts(k->w->lun, ghost_until, k);
	if (lun_ghosts_of_others(k->w->lun))
		loop_timer_in(k->w->loop, t, LOOK_NS);
}

static void killer_is_up(struct loop_timer *t)
{
	struct killer *k = container_of(t, struct killer, timer);
	struct world *w = k->w;

	if (lun_get_state(w->lun) != LUN_UP) {
		/* The nemesis may be too quick for any check to end well. */
		if (++k->polls == START_POLLS)
			nemesis_heal(&w->nemesis, -1);
		loop_timer_in(w->loop, t, POLL_NS);
		return;
	}
	if (k->polls >= START_POLLS)
		nemesis_start(&w->nemesis);
	k->away = false;
	clients_reconnect(&w->clients);
	t->fn = killer_look;
	killer_look(t);
}

static void killer_start(struct loop_timer *t)
{
	struct killer *k = container_of(t, struct killer, timer);
	struct world *w = k->w;
	struct lun_params par = w->cfg.par;

	world_trace(w, WE_KILL, ++k->process, 0, 0, 0);
	par.restored_ghost_ns = COMMAND_NS + par.ghost_time_ns;
	world_new_lun(w, &par);
	for (unsigned i = 0; i < w->cfg.npaths; i++)
		nexus_add(&w->array.nexus[i]);
	nemesis_resume(&w->nemesis);
	killer_arm(k);
	t->fn = killer_is_up;
	k->polls = 0;
	loop_timer_in(w->loop, t, POLL_NS);
}

/* --- death ---------------------------------------------------------------------------------- */

static void killer_kill(struct killer *k)
{
	struct world *w = k->w;

	world_trace(w, WE_KILL, k->process, 1, 0, 0);
	k->left--;
	k->away = true;
	k->killed_ns = world_now_ns(w);
	k->tick = world_tick(w);
	nbd_world_killed(w);
	fuse_world_killed(w);
	lun_vanish(w->lun);
	w->lun = NULL;
	loop_sim_forget(w->loop);
	array_killed(&w->array, &k->prng);
	if (w->opt->sg)
		sgk_killed();
	nemesis_killed(&w->nemesis);
	clients_killed(&w->clients);
	loop_timer_init(&w->stop_timer, NULL);
	loop_timer_init(&k->timer, killer_start);
	loop_timer_in(w->loop, &k->timer, draw(&k->prng, 100, draw_pct(&k->prng, 70) ? 1000 : 40000) * NS_PER_MS);
}

/* A poll that was stale is followed by another one before anything else, and a turn may end though tasks are left: then
 * descriptors are heard in between. */
static void hear_early(struct killer *k)
{
	struct world *w = k->w;

	if (!loop_tasks_queued(w->loop) || !draw_pct(&k->hearing, 15))
		return;
	for (unsigned i = 0; w->opt->sg && i < w->cfg.npaths; i++)
		sgk_poll(&w->array.nexus[i]);
	if (w->nbd)
		wires_poll();
	fuse_world_poll(w);
}

bool killer_step(struct killer *k)
{
	bool more;

	if (setjmp(k->env)) {
		killer_kill(k);
		return true;
	}
	hear_early(k);
	more = loop_sim_step(k->w->loop);
	if (k->w->opt->sg)
		sgk_turn_over();
	if (!killer_strikes(k, KILL_STEP))
		return more;
	killer_kill(k);
	return true;
}

void killer_init(struct killer *k, struct world *w)
{
	unsigned nslots = ledger_slots(w->cfg.par.max_reqs, w->cfg.par.max_ghosts);

	*k = (struct killer){ .w = w, .left = w->cfg.nkills };
	prng_init(&k->prng, w->seed, ENT_KILLER);
	prng_init(&k->hearing, w->seed, ENT_POLL);
	k->slots = calloc(nslots, sizeof(*k->slots));
	assert(k->slots);
	loop_timer_init(&k->timer, killer_start);
	killer_arm(k);
}

void killer_fini(struct killer *k)
{
	free(k->slots);
}
