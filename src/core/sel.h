/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sel.h - a selector: which path of a group takes the next command.
 *
 * Core filters first: the candidates are usable, have room and are not barred
 * for this command.  A selector keeps no count of its own: in-flight commands
 * and bytes, and what is known of its speed, are the path's and are kept under
 * every selector, so that another one can take over at any time.
 */
#ifndef CORE_SEL_H
#define CORE_SEL_H

#include "base/policy.h"

#include <stdbool.h>
#include <stdint.h>

struct cmd;
struct lun_params;
struct path;

struct sel_state {
	struct path *last;   /* the path used last; NULL when it has left */
	unsigned used;	     /* commands in a row on it */
	uint64_t used_bytes; /* and their bytes */
	unsigned class;	     /* enum byte_class of the last READ or WRITE */
	uint64_t use_seq;    /* stamps path.use_seq: who was used longest ago */
};

/* What a choice is made of. */
struct sel_ask {
	const struct lun_params *par;
	uint64_t now_ns;
	/* At least one: usable, with room, and not barred for this command. */
	struct path **cand;
	unsigned n;
	/* All usable paths of the group, candidates among them, with or without room. */
	struct path **usable;
	unsigned nusable;
};

struct sel_ops {
	const char *name;
	/* One of the candidates, or NULL to wait: last-used waits for its path. NULL: the
	 * first by cost(), or the one that stays. */
	struct path *(*pick)(struct sel_state *s, const struct sel_ask *ask);
	/* Without pick(): the path for which this is smallest, of equals the one used longest ago. Only
	 * what ready_update() is told of may change it. */
	uint64_t (*cost)(const struct path *p);
	/* The path used last (there is one) takes the next one, too, if it is a candidate. May be NULL. */
	bool (*stays)(const struct sel_state *s, const struct lun_params *par);
};

/* Of two paths with these costs; of two different ones always one. */
bool sel_is_before(const struct path *a, uint64_t cost_a, const struct path *b, uint64_t cost_b);
struct path *sel_pick(const struct sel_ops *sel, struct sel_state *s, const struct sel_ask *ask);

extern const struct sel_ops sel_last_used_ops, sel_round_robin_ops, sel_queue_length_ops,
	sel_service_time_ops, sel_historical_ops, sel_numa_ops;

const struct sel_ops *sel_by_kind(enum sel_kind kind);
/* @cmd went to @p, with @bytes of data, and has been entered in its account. */
void sel_used(struct sel_state *s, struct path *p, const struct cmd *cmd, uint64_t bytes,
	      uint64_t now_ns);
/* @p leaves the LUN or its group. */
void sel_forget(struct sel_state *s, struct path *p);

/* --- how long a path takes for a command of a size (sel_hist.c) ------------------------- */

/* The class of a command; BYTE_CLASS_OTHER for what is no READ or WRITE. */
unsigned byte_class(const struct cmd *cmd, uint64_t bytes);
/* A command went to @p; sel_used() calls it. */
void sel_hist_sent(const struct sel_state *s, struct path *p, uint64_t now_ns);
/* @cmd has ended well on @p, in whose account it still is. */
void sel_hist_done(struct path *p, const struct cmd *cmd, unsigned class, uint64_t now_ns);

#endif
