/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cover.h - where the runs have been: verdicts by the state of their path and the phase of the run, moves
 * of paths, deeds of the nemesis. Counted by all children of a run together.
 */
#ifndef SIM_COVER_H
#define SIM_COVER_H

#include "world.h"

#define WP_NR (WP_STOP + 1)

struct cover {
	uint32_t verdict[V_NR][PATH_STATE_NR], phase[V_NR][WP_NR];
	uint32_t move[PATH_STATE_NR][PATH_STATE_NR];
	uint32_t fault[SF_NR];
};

/* In memory that children share; before the first fork. */
void cover_init(void);
void cover_verdict(const struct world *w, const struct path *p, enum verdict v);
void cover_move(enum path_state from, enum path_state to);
void cover_fault(enum sim_fault f);
void cover_print(void);

#endif
