/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * discover_plan.h - what a scan means for the paths that a LUN has: which stay,
 * which leave, which device becomes a new path.
 *
 * Pure: strings in, decisions out.
 */
#ifndef PATH_DISCOVER_PLAN_H
#define PATH_DISCOVER_PLAN_H

#include <stdbool.h>

enum plan_state {
	PLAN_WORKS,    /* carries data, or may again without our doing */
	PLAN_FAILED,
	PLAN_DISABLED, /* by the administrator, or quarantined */
	PLAN_LEAVING,  /* told to go, its last commands have not ended */
};

enum plan_act {
	PLAN_KEEP,
	PLAN_DOUBT, /* something is odd: let it prove itself by a full check */
	PLAN_DROP,
};

/* A path that the LUN has. */
struct plan_path {
	const char *name;  /* it was opened by */
	const char *ident; /* the device that was opened, see discover_ident(); "": not known */
	const char *now;   /* the device that has the name now; "": none */
	enum plan_state state;
	bool is_file; /* a plain file goes on to work when its name is gone */
	bool is_sg;
	bool by_hand; /* the administrator has brought it: being found is no condition */
	bool doubted; /* an earlier scan asked for a check already */
	/* results */
	enum plan_act act;
	const char *why; /* of a doubt or a drop */
	bool found;
};

/* A name that the scan has found, or that the configuration lists. The same name twice is two
 * paths. */
struct plan_found {
	const char *name;
	/* results */
	bool add;    /* open it */
	bool behind; /* not yet: the path that had the name before is still leaving */
};

void discover_plan(struct plan_path *have, int nhave, struct plan_found *found, int nfound);

#endif
