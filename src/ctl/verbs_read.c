/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verbs_read.c - verbs that only show something, at once. */
#include "config.h"

#include "ctl/verbs.h"

#include <unistd.h>

enum ctl_end verb_ping(struct ctl_call *call)
{
	struct ctl_server *s = call->s;
	struct jb b = jb_begin();

	jb_str(&b, "name", lun_params(s->lun)->name);
	jb_str(&b, "version", s->version);
	jb_int(&b, "pid", getpid());
	jb_u64(&b, "uptime_ms", (loop_now_ns(s->loop) - s->start_ns) / NS_PER_MS);
	jb_int(&b, "protocol", CTL_PROTO_VERSION);
	return ctl_verb_done(call, jb_end(&b));
}

enum ctl_end verb_version(struct ctl_call *call)
{
	struct jb b = jb_begin();

	jb_str(&b, "version", call->s->version);
	jb_int(&b, "protocol", CTL_PROTO_VERSION);
	return ctl_verb_done(call, jb_end(&b));
}

enum ctl_end verb_list(struct ctl_call *call)
{
	return ctl_verb_done(call, ctl_snap_short(call->s));
}

enum ctl_end verb_status(struct ctl_call *call)
{
	return ctl_verb_done(call, ctl_snap_status(call->s));
}

enum ctl_end verb_paths(struct ctl_call *call)
{
	return ctl_verb_done(call, ctl_snap_paths(call->s));
}

enum ctl_end verb_stats(struct ctl_call *call)
{
	return ctl_verb_done(call, ctl_snap_stats(call->s));
}
