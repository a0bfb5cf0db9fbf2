/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fate.h - what becomes of a command: the model's hooks for path/sim. */
#ifndef SIM_FATE_H
#define SIM_FATE_H

#include "path/sim.h"

struct cmd_rec;
struct nexus;

void nexus_fate(void *model, struct sim_path *sp, struct cmd *cmd, struct sim_fate *fate);
void nexus_apply(void *model, struct sim_path *sp, struct cmd *cmd);
void nexus_ended(void *model, struct sim_path *sp, struct cmd *cmd);

/*
 * The same in two parts, for a driver that stands between the device and core: the command is over,
 * *o is what became of it, and changes if that has changed; core hears of it, as the driver put it.
 */
void nexus_over(struct nexus *n, struct cmd_rec *rec, struct outcome *o);
/* A deferred error is heard of, and only now there is something lost: a loss that is told by nobody, or is
 * still on its way, is no fault of core's. */
void nexus_defers(struct nexus *n);
void nexus_heard(struct nexus *n, const struct cmd *cmd);

#endif
