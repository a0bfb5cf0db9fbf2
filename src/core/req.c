/* SPDX-License-Identifier: GPL-2.0-or-later */
/* req.c - a request's states, and nothing else. */
#include "core/req.h"

#include "base/units.h"

#include <assert.h>

/* Bit set of the states that may follow. */
static const unsigned req_moves[] = {
	[REQ_FREE] = 1u << REQ_OWNED,
	[REQ_OWNED] = 1u << REQ_BLOCKED | 1u << REQ_QUEUED | 1u << REQ_FLUSHING | 1u << REQ_DONE |
		      1u << REQ_FREE,
	[REQ_BLOCKED] = 1u << REQ_QUEUED | 1u << REQ_DONE,
	[REQ_QUEUED] = 1u << REQ_SENT | 1u << REQ_DONE,
	/* Back to QUEUED: the next phase, or parts of a merged command that failed. */
	[REQ_SENT] = 1u << REQ_QUEUED | 1u << REQ_FLUSHING | 1u << REQ_DONE,
	[REQ_FLUSHING] = 1u << REQ_DONE,
	[REQ_DONE] = 1u << REQ_FREE,
};

void req_set_state(struct req *r, enum req_state to)
{
	assert((size_t)r->state < ARRAY_SIZE(req_moves));
	assert(req_moves[r->state] & 1u << to);
	r->state = to;
}

const char *req_op_name(enum req_op op)
{
	static const char *const names[REQ_OP_NR] = {
		[REQ_READ] = "read",	   [REQ_WRITE] = "write", [REQ_WRITE_ZEROES] = "write-zeroes",
		[REQ_DISCARD] = "discard", [REQ_FLUSH] = "flush", [REQ_STATUS] = "block-status",
	};

	return op < REQ_OP_NR ? names[op] : "?";
}

const char *req_state_name(enum req_state s)
{
	static const char *const names[] = {
		[REQ_FREE] = "free",	 [REQ_OWNED] = "owned", [REQ_BLOCKED] = "blocked",
		[REQ_QUEUED] = "queued", [REQ_SENT] = "sent",	[REQ_FLUSHING] = "flushing",
		[REQ_DONE] = "done",
	};

	return (size_t)s < ARRAY_SIZE(names) ? names[s] : "?";
}
