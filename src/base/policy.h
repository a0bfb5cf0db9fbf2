/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy.h - the choices an administrator makes, as config, core and ctl name
 * them.  The words are multipath.conf(5)'s where it has them.
 */
#ifndef BASE_POLICY_H
#define BASE_POLICY_H

#include <stdint.h>

enum sel_kind {
	SEL_LAST_USED,
	SEL_ROUND_ROBIN,
	SEL_QUEUE_LENGTH,
	SEL_SERVICE_TIME,
	SEL_HISTORICAL,
	SEL_NUMA,
	SEL_NR
};

/* rr_weight: how long a path's turn is */
enum rr_weight { RR_UNIFORM, RR_PRIORITIES, RR_WEIGHT_NR };

enum elv_kind { ELV_AUTO, ELV_DEADLINE, ELV_FIFO, ELV_NR };

/* path_grouping_policy */
enum group_policy {
	GROUP_FAILOVER,
	GROUP_MULTIBUS,
	GROUP_BY_PRIO,
	GROUP_BY_TPG,	    /* ALUA target port group */
	GROUP_BY_NODE_NAME, /* target, by the name that its transport gives it */
	GROUP_NR
};

/* failback: when a better group is usable again.  FAILBACK_AFTER waits failback_ns,
 * FAILBACK_FOLLOWOVER for the first path of that group to come up: a group that becomes better
 * while its paths work was moved by somebody else, perhaps another host. */
enum failback_kind {
	FAILBACK_IMMEDIATE,
	FAILBACK_MANUAL,
	FAILBACK_AFTER,
	FAILBACK_FOLLOWOVER,
	FAILBACK_NR
};

/* no_path_retry: what happens to requests while no path is usable but one may
 * return.  NO_PATH_RETRY holds them for `checks` polling intervals. */
enum no_path_kind { NO_PATH_FAIL, NO_PATH_QUEUE, NO_PATH_RETRY, NO_PATH_NR };

/* The administrator's word over no_path_retry, until the next one: as configured, hold without a
 * limit, fail. */
enum queueing { QUEUEING_DEFAULT, QUEUEING_ON, QUEUEING_OFF, QUEUEING_NR };

/* Test faults on a path (core/inject.h): its commands are said to have failed, end late, never, are
 * not taken at all; its checks fail. */
enum inject_fault {
	INJECT_OFF,
	INJECT_ERROR,
	INJECT_DELAY,
	INJECT_DROP,
	INJECT_REFUSE,
	INJECT_CHECK,
	INJECT_NR
};

/* How far a flush on one path reaches. */
enum flush_scope { FLUSH_SCOPE_LU, FLUSH_SCOPE_ALL, FLUSH_SCOPE_NR };

extern const char *const sel_kind_names[SEL_NR];
extern const char *const rr_weight_names[RR_WEIGHT_NR];
extern const char *const elv_kind_names[ELV_NR];
extern const char *const group_policy_names[GROUP_NR];
extern const char *const queueing_names[QUEUEING_NR];
extern const char *const inject_names[INJECT_NR];

/* Index of @word in @names[0..n-1], or -1. */
int name_lookup(const char *const *names, int n, const char *word);

#endif
