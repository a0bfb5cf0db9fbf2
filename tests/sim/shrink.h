/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shrink.h - make a failing seed small: fewer operations, paths, clients and kinds of fault, as long as the
 * same oracle fires.
 */
#ifndef SIM_SHRINK_H
#define SIM_SHRINK_H

#include "world.h"

/* Prints the command that replays the smallest run found. 0, or 1 if @seed does not fail. */
int shrink(uint64_t seed, const struct world_options *opt);
/* The options that say @opt, for a replay, each preceded by a space. */
void shrink_print(const struct world_options *opt);

#endif
