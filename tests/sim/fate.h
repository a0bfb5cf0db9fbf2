/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fate.h - what becomes of a command: the model's hooks for path/sim. */
#ifndef SIM_FATE_H
#define SIM_FATE_H

#include "path/sim.h"

void nexus_fate(void *model, struct sim_path *sp, struct cmd *cmd, struct sim_fate *fate);
void nexus_apply(void *model, struct sim_path *sp, struct cmd *cmd);
void nexus_ended(void *model, struct sim_path *sp, struct cmd *cmd);

#endif
