/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sg_hidden.c - a full or busy LUN that the kernel does not tell us about.
 *
 * TASK SET FULL and BUSY go back into the queue inside the kernel (scsi_error.c,
 * scsi_decide_disposition()), and the command ends well, only later.  Two things
 * show it: ioerr_cnt of the device, which counts every command that came back
 * with an error whatever became of it (scsi_lib.c, scsi_complete()), and
 * queue_depth, which some host drivers lower then (scsi_track_queue_full()).
 *
 * While commands are sent both are looked at every SG_HIDDEN_NS.  What the counter
 * has more than we have seen is the kernel's, and results on their way to us: so it
 * is compared with what we had seen then, which is too little, and with what we have
 * seen SG_SETTLE_NS later, which is too much.  Only what the second comparison leaves
 * is believed.  Other users of the device are counted, too: the first look of a busy
 * time only notes where the counter stands.
 */
#include <config.h>

#include "path/sg_priv.h"
#include "path/sg_sysfs.h"

#define SG_HIDDEN_NS (500 * NS_PER_MS)
#define SG_SETTLE_NS (20 * NS_PER_MS)

static void compare(struct sg_path *s)
{
	int32_t most = (int32_t)(s->hidden.count - s->hidden.seen_then);
	int32_t least = (int32_t)(s->hidden.count - s->hidden.seen);

	s->hidden.counted = false;
	if (s->hidden.based && least - s->hidden.base > 0)
		path_full(&s->path);
	/* It never gets less, so it was not more than this before. */
	if (!s->hidden.based || least - s->hidden.base > 0 || most - s->hidden.base < 0)
		s->hidden.base = most;
	s->hidden.based = true;
}

static void look_at_depth(struct sg_path *s)
{
	unsigned depth = MIN(sg_depth_now(s), s->nslots);

	if (depth == s->depth)
		return;
	s->depth = depth;
	path_depth(&s->path, depth);
}

static void look(struct loop_timer *t)
{
	struct sg_path *s = container_of(t, struct sg_path, hidden.timer);

	if (s->hidden.counted) {
		compare(s);
		look_at_depth(s);
		loop_timer_in(s->loop, t, SG_HIDDEN_NS - SG_SETTLE_NS);
		return;
	}
	if (s->state != SG_UP || !s->hidden.used) {
		/* With commands in flight it is no pause: they may be what is sent again. */
		s->hidden.based = s->state == SG_UP && s->inflight && s->hidden.based;
		return;
	}
	s->hidden.used = false;
	s->hidden.seen_then = s->hidden.seen;
	s->hidden.counted = sg_attr_counter(s->sg, "ioerr_cnt", &s->hidden.count);
	if (!s->hidden.counted)
		look_at_depth(s);
	loop_timer_in(s->loop, t, s->hidden.counted ? SG_SETTLE_NS : SG_HIDDEN_NS);
}

void sg_hidden_watch(struct sg_path *s)
{
	s->hidden.used = true;
	if (!loop_timer_running(&s->hidden.timer))
		loop_timer_in(s->loop, &s->hidden.timer, SG_HIDDEN_NS);
}

uint32_t sg_hidden_errors(const struct sg_path *s)
{
	uint32_t count;

	if (!sg_attr_counter(s->sg, "ioerr_cnt", &count))
		return 0;
	/* What was counted before the device was opened, or of a device before this one, is a
	 * constant; only growth is looked at. */
	return count - s->hidden.seen;
}

void sg_hidden_init(struct sg_path *s)
{
	loop_timer_init(&s->hidden.timer, look);
}

void sg_hidden_stop(struct sg_path *s)
{
	loop_timer_stop(s->loop, &s->hidden.timer);
}
