/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sel.h - a selector: which path of a group takes the next command.
 *
 * Core filters first: the candidates are usable, have room and are not barred
 * for this command.  A selector keeps no count of its own; in-flight commands
 * and bytes are the path's.
 */
#ifndef CORE_SEL_H
#define CORE_SEL_H

#include "base/policy.h"

#include <stdint.h>

struct lun;
struct path;

struct sel_state {
	struct path *last; /* the path used last; NULL when it has left */
	unsigned used;	   /* commands in a row on it */
	uint64_t use_seq;  /* stamps path.use_seq: who was used longest ago */
};

struct sel_ops {
	const char *name;
	/* Of @n > 0 candidates one, or NULL to wait: last-used waits for its path. @usable: all
	 * usable paths of the group, candidates among them, with or without room. */
	struct path *(*pick)(struct sel_state *s, unsigned rr_min_io, struct path **cand, unsigned n,
			     struct path **usable, unsigned nusable);
};

extern const struct sel_ops sel_last_used_ops, sel_round_robin_ops, sel_queue_length_ops,
	sel_service_time_ops;

const struct sel_ops *sel_by_kind(enum sel_kind kind);
/* A command went to @p. */
void sel_used(struct sel_state *s, struct path *p);
/* @p leaves the LUN or its group. */
void sel_forget(struct sel_state *s, struct path *p);

#endif
