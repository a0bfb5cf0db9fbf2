/* SPDX-License-Identifier: GPL-2.0-or-later */
/* array_priv.h - shared by array.c (the medium) and nexus.c (the paths to it). */
#ifndef SIM_ARRAY_PRIV_H
#define SIM_ARRAY_PRIV_H

#include "world.h"

/* A command while it is at the array. */
struct cmd_rec {
	struct cmd_rec *next;
	uint8_t *data; /* of a write, copied at submit */
	size_t data_cap;
	uint64_t serial;
	uint32_t effect_blocks; /* takes effect on so many, from its start */
	bool applied;
	/* What it was, for a ghost: one that takes effect when core has long been answered. */
	enum cmd_op op;
	unsigned flags; /* enum cmd_flag */
	uint64_t lba;
	struct nexus *nexus;
	unsigned minor; /* of its device, which it keeps while the command is under way */
	struct loop_timer late;
	/* When it takes effect, and when the kernel is done with it. */
	uint64_t apply_ns, end_ns;
	bool haunts; /* late runs: core has its end */
	TAILQ_ENTRY(cmd_rec) live;
	bool ua; /* answered by a unit attention */
	bool met_reset, killed, defer;
};

void nexus_init(struct nexus *n, struct world *w, unsigned id);
/* Core has let go of its path. */
void nexus_left(struct nexus *n);
/* The process is killed: no path object, and nobody knows of its condition. */
void nexus_killed(struct nexus *n);
/* Write a cell through @n; @data NULL: zeroes. */
void array_write(struct array *a, const struct nexus *n, uint32_t c, const uint8_t *data, bool fua);
/* A flush through @n takes effect. */
void array_flush(struct array *a, const struct nexus *n);

#endif
