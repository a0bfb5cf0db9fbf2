/* SPDX-License-Identifier: GPL-2.0-or-later */
/* swarm.c - see swarm.h. */
#include "swarm.h"

#include "client.h"

#include "base/units.h"

#include <stdio.h>
#include <string.h>

#define CELL_BYTES 64u

static const char *const fault_names[SF_NR] = {
	[SF_OTHER] = "other",	  [SF_OTHER_ALL] = "other-all", [SF_SAME] = "same",
	[SF_LATER] = "later",	  [SF_SLOW] = "slow",		[SF_FAIL] = "fail",
	[SF_LOST_CMD] = "lost",	  [SF_SHORT] = "short",		[SF_ENOSPC] = "enospc",
	[SF_UNSUPPORTED] = "unsupported",			[SF_INFO] = "info",
	[SF_AGAIN] = "again",	  [SF_NODEV] = "nodev",		[SF_STREAK] = "streak",
	[SF_ONCE] = "once",	  [SF_DIE] = "die",		[SF_HANG] = "hang",
	[SF_HUP] = "hup",	  [SF_ALUA] = "alua",		[SF_ADMIN] = "admin",
	[SF_REMOVE] = "remove",	  [SF_SWAP] = "swap",		[SF_RESIZE] = "resize",
	[SF_CHECK] = "check",	  [SF_DARK] = "dark",		[SF_SET] = "set",
	[SF_LIMITS] = "limits",	  [SF_HOG] = "hog",		[SF_POWER] = "power",
	[SF_RESET] = "reset",	  [SF_RECONNECT] = "reconnect",	[SF_DEFER] = "defer",
	[SF_STRANGER] = "stranger",
};

const char *sim_fault_name(enum sim_fault f)
{
	return f < SF_NR ? fault_names[f] : "?";
}

static void draw_params(struct swarm *s, struct prng *r)
{
	struct lun_params *p = &s->par;

	lun_params_default(p);
	snprintf(p->name, sizeof(p->name), "sim");
	p->selector = (enum sel_kind)draw(r, 0, SEL_NR - 1);
	p->rr_min_io = (unsigned)draw(r, 1, 4);
	p->rr_min_bytes = draw_pct(r, 30) ? draw(r, 1, 64) * 1024 : 0;
	p->rr_weight = (enum rr_weight)draw(r, 0, RR_WEIGHT_NR - 1);
	p->numa_distance[0] = 10;
	p->numa_distance[1] = 21;
	p->elevator = (enum elv_kind)draw(r, 0, ELV_NR - 1);
	p->read_expire_ns = draw(r, 1, 500) * NS_PER_MS;
	p->write_expire_ns = draw(r, 1, 5000) * NS_PER_MS;
	p->fifo_batch = (unsigned)draw(r, 1, 16);
	p->writes_starved = (unsigned)draw(r, 0, 4);
	p->grouping = (enum group_policy)draw(r, 0, GROUP_NR - 1);
	p->failback = (enum failback_kind)draw(r, 0, FAILBACK_NR - 1);
	p->failback_ns = draw(r, 1, 3000) * NS_PER_MS;
	p->no_path = (enum no_path_kind)draw(r, 0, NO_PATH_NR - 1);
	p->no_path_checks = (unsigned)draw(r, 1, 12);
	p->polling_interval_ns = draw(r, 20, 1000) * NS_PER_MS;
	p->max_polling_interval_ns = p->polling_interval_ns * draw(r, 1, 4);
	p->identity_ns = draw_pct(r, 50) ? p->identity_ns : draw(r, 20, 1000) * NS_PER_MS;
	p->fresh_ns = p->identity_ns / draw(r, 2, 8);
	p->flap_window_ns = draw_pct(r, 20) ? 0 : draw(r, 1, 10000) * NS_PER_MS;
	p->err_sample_ns = draw(r, 1, 10000) * NS_PER_MS;
	p->err_rate = draw_pct(r, 50) ? 0 : (unsigned)draw(r, 1, 500);
	p->marginal_ns = draw(r, 1, 3000) * NS_PER_MS;
	p->flush_scope = draw_pct(r, 20) ? FLUSH_SCOPE_ALL : FLUSH_SCOPE_LU;
	p->depth = draw_pct(r, 80) ? (unsigned)draw(r, 1, draw_pct(r, 50) ? 4 : 64) : 0;
	p->path_depth = draw_pct(r, 30) ? (unsigned)draw(r, 1, 16) : 0;
	p->host_depth = draw_pct(r, 20) ? (unsigned)draw(r, 1, 16) : 0;
	p->max_reqs = draw_pct(r, 40) ? (unsigned)draw(r, 1, 16) : 256;
	p->suspect_after_ns = draw_pct(r, 50) ? 0 : draw(r, 20, 5000) * NS_PER_MS;
	p->ghost_time_ns = draw(r, 10, draw_pct(r, 50) ? 500 : 20000) * NS_PER_MS;
	p->ghost_hold_ack = draw_pct(r, 10);
	p->max_ghosts = (unsigned)draw(r, 1, draw_pct(r, 20) ? 8 : 256);
	p->max_cmd_bytes = draw_pct(r, 40) ? (uint32_t)draw(r, 1, 16) * s->block_bytes : 0;
}

/* A limit of a path in blocks, often none. */
static uint32_t draw_limit(struct prng *r, uint32_t max)
{
	return draw_pct(r, 60) ? 0 : (uint32_t)draw(r, 1, max);
}

static void draw_path(struct swarm *s, struct swarm_path *p, struct prng *r, unsigned lun_caps, bool mixed)
{
	unsigned caps = mixed ? lun_caps & (unsigned)prng_u64(r) : lun_caps;

	p->slots = draw_pct(r, 50) ? 64 : (unsigned)draw(r, 1, 16);
	p->lat_ns = draw(r, 5, 400) * NS_PER_US;
	p->jitter_ns = draw(r, 1, 400) * NS_PER_US;
	p->tail_ns = draw_pct(r, 30) ? draw(r, 1, 50) * NS_PER_MS : 0;
	p->host = (int)draw(r, 0, 4) - 1;
	p->info_on_cheap = draw_pct(r, 50);
	p->info = (struct path_info){
		.block_bytes = s->block_bytes,
		.phys_block_bytes = s->block_bytes,
		.nblocks = s->nblocks,
		.write_cache = s->write_cache,
		.caps = caps,
		.max_blocks = draw_limit(r, 64),
		.max_segs = draw_limit(r, 8),
		.max_discard_blocks = draw_limit(r, 64),
		.max_zero_blocks = draw_limit(r, 64),
		.depth = draw_pct(r, 50) ? 0 : (unsigned)draw(r, 1, 32),
		.access = draw_pct(r, 20) ? ACCESS_NONOPTIMIZED : ACCESS_ACTIVE,
		.prio = (unsigned)draw(r, 1, 3) * 10,
	};
	snprintf(p->info.ident, sizeof(p->info.ident), "model");
	snprintf(p->info.product, sizeof(p->info.product), "simulated");
}

static void draw_paths(struct swarm *s, struct prng *r)
{
	unsigned caps = (unsigned)prng_u64(r) & (PATH_CAP_FUA | PATH_CAP_DISCARD | PATH_CAP_WRITE_ZEROES |
						 PATH_CAP_STATUS | PATH_CAP_FAST_ZERO);
	bool mixed = draw_pct(r, 20);
	unsigned own_pct;

	s->npaths = (unsigned)draw(r, 1, draw_pct(r, 50) ? 3 : SIM_PATHS_MAX);
	s->write_cache = draw_pct(r, 85);
	own_pct = !s->write_cache || draw_pct(r, 65) ? 0 : draw_pct(r, 70) ? 100 : 50;
	s->destage = draw_pct(r, 50) ? 0 : (unsigned)draw(r, 1, 128);
	s->lu_slots = draw_pct(r, 50) ? 256 : (unsigned)draw(r, 1, 32);
	for (unsigned i = 0; i < s->npaths; i++) {
		draw_path(s, &s->path[i], r, caps, mixed);
		if (draw_pct(r, own_pct))
			s->path[i].info.caps |= PATH_CAP_OWN_CACHE;
	}
}

static void draw_clients(struct swarm *s, struct prng *r, unsigned nops)
{
	static const unsigned weights[REQ_OP_NR] = {
		[REQ_READ] = 40,   [REQ_WRITE] = 40, [REQ_WRITE_ZEROES] = 6,
		[REQ_DISCARD] = 2, [REQ_FLUSH] = 8,  [REQ_STATUS] = 3,
	};

	s->nclients = (unsigned)draw(r, 1, SIM_CLIENTS_MAX);
	s->iodepth = (unsigned)draw(r, 1, draw_pct(r, 50) ? 4 : SIM_IODEPTH_MAX);
	s->think_ns = draw_pct(r, 40) ? 0 : draw(r, 1, 2000) * NS_PER_US;
	s->max_io_blocks = (uint32_t)draw(r, 1, s->block_bytes > 512 ? 8 : 32);
	s->hot_blocks = draw(r, 1, s->nblocks);
	s->hot_pct = (unsigned)draw(r, 0, 100);
	s->seq_pct = draw_pct(r, 50) ? (unsigned)draw(r, 0, 90) : 0;
	for (int i = 0; i < REQ_OP_NR; i++)
		s->weight[i] = draw_pct(r, 85) ? (unsigned)draw(r, 1, 2 * weights[i]) : 0;
	/* Few writes and many flushes: what one write has left behind stays visible. */
	if (draw_pct(r, 15)) {
		s->weight[REQ_WRITE] = (unsigned)draw(r, 1, 10);
		s->weight[REQ_WRITE_ZEROES] = s->weight[REQ_DISCARD] = 0;
		s->weight[REQ_FLUSH] = (unsigned)draw(r, 10, 50);
	}
	s->weight[REQ_READ]++;
	s->weight[REQ_WRITE]++;
	s->fua_pct = draw_pct(r, 50) ? (unsigned)draw(r, 1, 50) : 0;
	s->rmw_pct = draw_pct(r, 40) ? (unsigned)draw(r, 1, 50) : 0;
	s->cancel_pct = draw_pct(r, 30) ? (unsigned)draw(r, 1, 20) : 0;
	s->fast_zero_pct = draw_pct(r, 30) ? 50 : 0;
	s->slow_put_pct = draw_pct(r, 30) ? (unsigned)draw(r, 1, 50) : 0;
	/* Everybody at the same few blocks, and impatient. */
	if (draw_pct(r, 15)) {
		s->hot_blocks = draw(r, 1, 16);
		s->hot_pct = 95;
		s->cancel_pct = (unsigned)draw(r, 0, 30);
	}
	s->stop_at = draw_pct(r, 15) ? (unsigned)draw(r, 1, nops) : 0;
	s->stop_grace_ns = draw_pct(r, 20) ? 0 : draw(r, 1, 5000) * NS_PER_MS;
}

static void draw_faults(struct swarm *s, struct prng *r)
{
	/* Some runs are fair weather, some a storm, most have a few kinds. */
	unsigned pct = (unsigned)draw(r, 0, 3) * 15;
	/* And some have one that comes with every second command. */
	bool relentless = draw_pct(r, 5);
	uint64_t which = draw(r, 0, SF_CMD_NR - 1);

	for (int f = 0; f < SF_NR; f++) {
		bool on = draw_pct(r, pct);
		uint32_t rate = f < SF_CMD_NR ? (uint32_t)draw(r, 8, 300) : (uint32_t)draw(r, 1, 10);

		s->rate[f] = on ? rate : 0;
	}
	if (relentless)
		s->rate[which] = (uint32_t)draw(r, 1, 3);
	/* What always refuses is asked a thousand times a second until the load ends. */
	if (s->rate[SF_AGAIN] == 1)
		s->rate[SF_AGAIN] = 2;
	/* Paths that come and go are what a multipath daemon is for. */
	if (draw_pct(r, 10))
		s->rate[SF_REMOVE] = 20;
	if (s->rate[SF_LOST_CMD])
		s->rate[SF_LOST_CMD] += 100;
	/* READs that come back long after a hedge has answered, to clients that keep the answer. */
	if (draw_pct(r, 10)) {
		s->rate[SF_LOST_CMD] = (uint32_t)draw(r, 20, 60);
		s->slow_put_pct = 80;
		s->weight[REQ_READ] += 40;
		/* Or everybody writes the same few ranges, and ghosts meet their like. */
		if (draw_pct(r, 50)) {
			s->weight[REQ_WRITE] += 80;
			s->hot_blocks = draw(r, 1, 4);
			s->max_io_blocks = (uint32_t)draw(r, 1, 2);
			s->hot_pct = 90;
		}
		s->par.suspect_after_ns = draw(r, 20, 200) * NS_PER_MS;
	}
	if (s->rate[SF_DEFER])
		s->rate[SF_DEFER] += 200;
	/* A LUN that is reset, or seems to be, and little else that could explain an error. */
	if (draw_pct(r, 10)) {
		for (int f = 0; f < SF_NR; f++)
			s->rate[f] = 0;
		s->rate[SF_POWER] = (uint32_t)draw(r, 0, 2);
		s->rate[SF_RESET] = (uint32_t)draw(r, 1, 4);
		s->rate[SF_RECONNECT] = (uint32_t)draw(r, 0, 6);
		s->rate[SF_DEFER] = draw_pct(r, 30) ? 300 : 0;
		s->rate[SF_OTHER] = draw_pct(r, 30) ? 50 : 0;
		s->weight[REQ_FLUSH] += 8;
	}
	s->nemesis_ns = draw(r, 2, draw_pct(r, 50) ? 20 : 500) * NS_PER_MS;
	/* Found out within the time of a run. */
	if (s->rate[SF_STRANGER] && draw_pct(r, 80)) {
		s->par.identity_ns = draw(r, 5, 100) * NS_PER_MS;
		s->par.fresh_ns = s->par.identity_ns / draw(r, 2, 8);
	}
	s->nbad = draw_pct(r, 15) ? (unsigned)draw(r, 1, 4) : 0;
	s->heal_one = draw_pct(r, 30);
	s->crash = draw_pct(r, 50);
}

/* A path with a cache of its own is a block device: the kernel below keeps resets and deferred errors to
 * itself, and what lies in the page cache is not lost with the LUN's. */
static void mute_resets(struct swarm *s)
{
	bool own = false;

	for (unsigned i = 0; i < s->npaths; i++)
		own |= s->path[i].info.caps & PATH_CAP_OWN_CACHE;
	if (own)
		s->rate[SF_POWER] = s->rate[SF_RESET] = s->rate[SF_DEFER] = 0;
}

static void draw_kills(struct swarm *s, struct prng *r)
{
	if (draw_pct(r, 20))
		s->nkills = (unsigned)draw(r, 1, 3);
	/* The next one does not know its clients again, and takes each reset for a loss: for a while no
	 * path of its own is a witness. */
	if (s->nkills)
		s->rate[SF_RESET] = s->rate[SF_DEFER] = s->rate[SF_RECONNECT] = 0;
	/* What the one has left and the next one writes meet more often in few blocks. */
	if (s->nkills && draw_pct(r, 50)) {
		s->weight[REQ_WRITE] += 60;
		s->hot_blocks = draw(r, 1, 8);
		s->hot_pct = 90;
		s->rate[SF_LOST_CMD] = (uint32_t)draw(r, 20, 100);
	}
}

/* Of sizes that an export takes in parts: NBD receives the payload of more than 32 KiB into its place. Rare, for the
 * judges' work grows with them; after all others, and their draws stay. */
static void draw_large(struct swarm *s, struct prng *r)
{
	if (draw_pct(r, 7))
		s->max_io_blocks = (uint32_t)MIN(s->nblocks, draw(r, 48, OP_CELLS_MAX * CELL_BYTES / KIB) * KIB / s->block_bytes);
}

void swarm_draw(struct swarm *s, uint64_t seed, unsigned nops)
{
	struct prng r;

	prng_init(&r, seed, ENT_SWARM);
	*s = (struct swarm){ 0 };
	s->block_bytes = draw_pct(&r, 75) ? 512 : 4096;
	s->nblocks = s->block_bytes == 512 ? draw(&r, 64, 1024) : draw(&r, 16, 128);
	s->ncells_block = s->block_bytes / CELL_BYTES;
	draw_params(s, &r);
	draw_paths(s, &r);
	draw_clients(s, &r, nops);
	draw_faults(s, &r);
	draw_kills(s, &r);
	draw_large(s, &r);
	mute_resets(s);
}

const char *swarm_cut_name(int cut)
{
	static const char *const names[] = {
		[SC_KILLS - SF_NR] = "kills",	[SC_STOP - SF_NR] = "stop", [SC_BAD - SF_NR] = "bad",
		[SC_CRASH - SF_NR] = "crash",	[SC_CANCEL - SF_NR] = "cancel", [SC_FUA - SF_NR] = "fua",
		[SC_RMW - SF_NR] = "rmw",	[SC_SLOW_PUT - SF_NR] = "slow-put",
	};

	return cut < SF_NR ? sim_fault_name((enum sim_fault)cut) : names[cut - SF_NR];
}

int swarm_cut_by_name(const char *name, size_t len)
{
	for (int i = 0; i < CUT_NR; i++)
		if (strncmp(swarm_cut_name(i), name, len) == 0 && !swarm_cut_name(i)[len])
			return i;
	return -1;
}

static bool is_cut(uint64_t without, int cut)
{
	return without >> cut & 1;
}

void swarm_cut(struct swarm *s, unsigned npaths, unsigned nclients, unsigned iodepth, uint64_t without)
{
	_Static_assert(CUT_NR <= 64, "a bit each");
	s->npaths = MIN(s->npaths, npaths);
	s->nclients = MIN(s->nclients, nclients);
	s->iodepth = MIN(s->iodepth, iodepth);
	for (int f = 0; f < SF_NR; f++)
		if (is_cut(without, f))
			s->rate[f] = 0;
	if (is_cut(without, SC_KILLS))
		s->nkills = 0;
	if (is_cut(without, SC_STOP))
		s->stop_at = 0;
	if (is_cut(without, SC_BAD))
		s->nbad = 0;
	if (is_cut(without, SC_CRASH))
		s->crash = false;
	if (is_cut(without, SC_CANCEL))
		s->cancel_pct = 0;
	if (is_cut(without, SC_FUA))
		s->fua_pct = 0;
	if (is_cut(without, SC_RMW))
		s->rmw_pct = 0;
	if (is_cut(without, SC_SLOW_PUT))
		s->slow_put_pct = 0;
}

void swarm_print(const struct swarm *s)
{
	const struct lun_params *p = &s->par;

	printf("# %llu blocks of %u bytes; depth %u, per path %u; %s, %s, %s, no_path %d x %u; %u requests;"
	       " commands up to %u bytes\n",
	       (unsigned long long)s->nblocks, s->block_bytes, p->depth, p->path_depth,
	       sel_kind_names[p->selector], elv_kind_names[p->elevator], group_policy_names[p->grouping],
	       (int)p->no_path, p->no_path_checks, p->max_reqs, p->max_cmd_bytes);
	printf("# %u clients x %u, think %llu us, up to %u blocks, hot %llu blocks %u%%, seq %u%%,"
	       " fua %u%%, rmw %u%%, cancel %u%%; %s cache; task set %u\n",
	       s->nclients, s->iodepth, (unsigned long long)(s->think_ns / NS_PER_US), s->max_io_blocks,
	       (unsigned long long)s->hot_blocks, s->hot_pct, s->seq_pct, s->fua_pct, s->rmw_pct,
	       s->cancel_pct, s->write_cache ? "volatile" : "no", s->lu_slots);
	for (unsigned i = 0; i < s->npaths; i++)
		printf("# path %u: %u slots, %llu us, prio %u, caps %#x, max %u blocks %u segs, depth %u\n", i,
		       s->path[i].slots, (unsigned long long)(s->path[i].lat_ns / NS_PER_US),
		       s->path[i].info.prio, s->path[i].info.caps, s->path[i].info.max_blocks,
		       s->path[i].info.max_segs, s->path[i].info.depth);
	printf("# faults:");
	for (int f = 0; f < SF_NR; f++)
		if (s->rate[f])
			printf(" %s/%u", sim_fault_name((enum sim_fault)f), s->rate[f]);
	printf("; nemesis every %llu ms; %u bad blocks%s%s", (unsigned long long)(s->nemesis_ns / NS_PER_MS),
	       s->nbad, s->heal_one ? "; one path heals" : "", s->crash ? "; power loss" : "");
	if (s->nkills)
		printf("; killed %u times", s->nkills);
	if (s->stop_at)
		printf("; stop after %u operations", s->stop_at);
	printf("\n");
}
