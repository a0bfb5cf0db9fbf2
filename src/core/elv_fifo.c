/* SPDX-License-Identifier: GPL-2.0-or-later */
/* elv_fifo.c - the null elevator: oldest first; neighbours still merge. */
#include "core/elv.h"

static struct req *fifo_choose(struct elv *e, uint64_t now_ns)
{
	struct req *rd = TAILQ_FIRST(&e->fifo[ELV_READ]);
	struct req *wr = TAILQ_FIRST(&e->fifo[ELV_WRITE]);

	if (!rd || !wr)
		return rd ? rd : wr;
	return rd->seq < wr->seq ? rd : wr;
}

static void fifo_sent(struct elv *e, enum elv_dir dir, uint64_t end_lba)
{
}

const struct elv_ops elv_fifo_ops = {
	.name = "fifo",
	.choose = fifo_choose,
	.sent = fifo_sent,
};
