/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nemesis.h - what goes wrong with paths over time, and heals again: one timer
 * does deeds, one of each path undoes them.
 */
#ifndef SIM_NEMESIS_H
#define SIM_NEMESIS_H

#include "swarm.h"

#include "loop/loop.h"

struct world;

struct nemesis {
	struct world *w;
	struct prng prng;
	struct loop_timer deed;
	struct loop_timer hog_timer;
	struct req *hogs[3];
	unsigned total; /* of the weights */
	bool provoked;	/* the next deed is a removal */
};

void nemesis_init(struct nemesis *ne, struct world *w);
void nemesis_start(struct nemesis *ne);
/* A write has just been answered: now and then the worst moment to take a path away. */
void nemesis_provoke(struct nemesis *ne);
/* All faults end. @only: index of the one path that heals, -1: all. */
void nemesis_heal(struct nemesis *ne, int only);
/* The process is killed, and has a successor: paths are as they were, and heal. */
void nemesis_killed(struct nemesis *ne);
void nemesis_resume(struct nemesis *ne);
/* No timer runs any more. */
void nemesis_end(struct nemesis *ne);

#endif
