/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verdict.c - the words for verdict.h. */
#include <config.h>

#include <assert.h>

#include "base/verdict.h"

static const char *const verdict_names[V_NR] = {
	[V_OK] = "ok",
	[V_OK_INFO] = "ok-info",
	[V_SAME] = "same",
	[V_LATER] = "later",
	[V_OTHER] = "other",
	[V_FAIL] = "fail",
	[V_GROUP] = "group",
	[V_SLOW] = "slow",
	[V_ERR] = "error",
	[V_CANCELED] = "canceled",
};

const char *verdict_name(enum verdict v)
{
	assert(v < V_NR);
	assert(verdict_names[v]);
	return verdict_names[v];
}
