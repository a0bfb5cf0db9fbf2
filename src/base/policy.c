/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy.c - the words for policy.h; config reads them, ctl prints them. */
#include <config.h>

#include <string.h>

#include "base/policy.h"

const char *const sel_kind_names[SEL_NR] = {
	[SEL_LAST_USED] = "last-used",
	[SEL_ROUND_ROBIN] = "round-robin",
	[SEL_QUEUE_LENGTH] = "queue-length",
	[SEL_SERVICE_TIME] = "service-time",
	[SEL_HISTORICAL] = "historical-service-time",
	[SEL_NUMA] = "numa",
};

const char *const rr_weight_names[RR_WEIGHT_NR] = {
	[RR_UNIFORM] = "uniform",
	[RR_PRIORITIES] = "priorities",
};

const char *const elv_kind_names[ELV_NR] = {
	[ELV_AUTO] = "auto",
	[ELV_DEADLINE] = "deadline",
	[ELV_FIFO] = "fifo",
};

const char *const group_policy_names[GROUP_NR] = {
	[GROUP_FAILOVER] = "failover",
	[GROUP_MULTIBUS] = "multibus",
	[GROUP_BY_PRIO] = "group_by_prio",
	[GROUP_BY_TPG] = "group_by_tpg",
	[GROUP_BY_NODE_NAME] = "group_by_node_name",
};

const char *const queueing_names[QUEUEING_NR] = {
	[QUEUEING_DEFAULT] = "default",
	[QUEUEING_ON] = "on",
	[QUEUEING_OFF] = "off",
};

const char *const inject_names[INJECT_NR] = {
	[INJECT_OFF] = "off",
	[INJECT_ERROR] = "error",
	[INJECT_DELAY] = "delay",
	[INJECT_DROP] = "drop",
	[INJECT_REFUSE] = "refuse",
	[INJECT_CHECK] = "check",
};

int name_lookup(const char *const *names, int n, const char *word)
{
	int i;

	for (i = 0; i < n; i++)
		if (strcmp(names[i], word) == 0)
			return i;
	return -1;
}
