/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inject.h - test faults that an administrator puts on a path: what the path
 * does well is delayed, lost, refused, or said to have failed.  An error never
 * becomes a success, and no data is changed.
 */
#ifndef CORE_INJECT_H
#define CORE_INJECT_H

#include "base/policy.h"
#include "core/cmd.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>

struct lun;
struct path;

#define INJECT_DELAY_MAX_NS (3600 * NS_PER_SEC)

struct inject_order {
	enum inject_fault fault;
	uint64_t delay_ns; /* INJECT_DELAY */
	unsigned count;	   /* so many times, then no more; 0: without a limit */
	unsigned percent;  /* of the commands, by chance; 0: all */
};

/* A path's. */
struct inject {
	struct inject_order order; /* order.fault is the one branch of the hot path */
	unsigned nstruck, ndrawn;
	/* Commands that the driver has ended and core does not know of yet: of DELAY by due_ns. */
	STAILQ_HEAD(, cmd) held;
	unsigned nheld;
	struct loop_timer timer;
};

/* From now on, instead of what was there before; what that held is let go. INJECT_OFF: no more.
 * 0; -ESHUTDOWN: the path or the LUN is going. */
int lun_inject(struct lun *lun, struct path *p, const struct inject_order *order);
/* "delay 50 ms, 3 of 10 done, 2 held"; "" if there is none. Returns @buf. */
char *inject_text(const struct path *p, char *buf, size_t size);

#endif
