/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * killer.h - the process dies in mid load and another one takes its place, 0.1 s
 * to 40 s later: the core's memory is gone but for the table of writes in
 * flight and what it owes its clients, commands at the array go on, clients send again what had no answer.
 *
 * It dies between two steps, or in the middle of sending a command: before the
 * array has it, or after.
 */
#ifndef SIM_KILLER_H
#define SIM_KILLER_H

#include "base/prng.h"
#include "loop/loop.h"

#include <setjmp.h>

struct world;
struct ledger_slot;

enum kill_point { KILL_STEP, KILL_UNSENT, KILL_SENT, KILL_NR };

struct killer {
	struct world *w;
	struct prng prng;
	struct ledger_slot *slots; /* what outlives a process */
	uint64_t debts;
	uint32_t tick; /* of the last death */
	unsigned left, process;
	unsigned after; /* so many answers */
	enum kill_point point;
	unsigned skip; /* so many chances at that point */
	unsigned polls; /* the next one has been asked whether it serves */
	bool away;     /* clients have nobody to talk to */
	uint64_t killed_ns;
	struct loop_timer timer; /* the next one starts; is up; is asked about its ghosts */
	struct prng hearing;
	jmp_buf env;
};

void killer_init(struct killer *k, struct world *w);
void killer_fini(struct killer *k);
/* One step of the loop, or the death of the process. False: nothing will ever happen again. */
bool killer_step(struct killer *k);
/* A place where it may die: then this does not return. */
void killer_point(struct world *w, enum kill_point point);

#endif
