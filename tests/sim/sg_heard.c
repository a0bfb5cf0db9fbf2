/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sg_heard.c - what the driver says to core, looked at on its way: is it what the device has said, and
 * what may core know from now on? See sg_kernel.h.
 */
#include "sg_kernel_priv.h"

#include "fate.h"

#include "base/units.h"

static struct nexus *nexus_of(const struct path *p)
{
	for (unsigned i = 0; sgk.w && i < sgk.w->cfg.npaths; i++)
		if (sgk.w->array.nexus[i].path == p)
			return &sgk.w->array.nexus[i];
	return NULL;
}

void __real_path_complete(struct cmd *cmd);
void __wrap_path_complete(struct cmd *cmd);
void __wrap_path_complete(struct cmd *cmd)
{
	struct nexus *n = nexus_of(cmd->path);
	const struct outcome *o = &cmd->outcome;

	/* What it has turned down it may do in another way; and what had to follow may not have been sent. */
	if (n && cmd == sgk.read_cmd && o->verdict != sgk.expect && !(o->flags & VF_UNSUPPORTED) && !o->sys_errno)
		world_fail(sgk.w, "O1", "path %u made %s of what was %s: status %02x, host_status %02x, sense %x/%02x/%02x",
			   n->id, verdict_name(o->verdict), verdict_name(sgk.expect), o->scsi_status, o->host_status,
			   o->sense_key, o->asc, o->ascq);
	sgk.read_cmd = NULL;
	if (n)
		nexus_heard(n, cmd);
	__real_path_complete(cmd);
}

static void check_told(struct nexus *n, enum check_result result, const struct path_info *info, const char *why)
{
	struct kdev *d = dev_of(n);
	bool full = sg_of(n)->check.full;

	world_trace(sgk.w, WE_CHECK, n->id, full, result, d->bad_luck);
	n->check_end_ns = world_now_ns(sgk.w);
	/* It may have asked before the stranger came. */
	if (n->stranger && d->check_began_ns <= n->stranger_ns)
		n->stranger_ns = n->check_end_ns;
	if (result == CHECK_DOWN && d->checking && !d->bad_luck && !d->gone && !d->refused && !n->removing &&
	    !n->w->stop_asked)
		world_fail(sgk.w, "O6", "the check of path %u failed although all its commands went well (\"%s\")", n->id, why);
	d->checking = d->bad_luck = d->refused = false;
	/* What it has found out is compared by core. */
	if (result == CHECK_DOWN || result == CHECK_IDENTITY || info->nblocks != n->w->cfg.nblocks) {
		nexus_doubt(n, "its check failed", true);
		return;
	}
	if (full && n->check_tick > n->good) {
		n->good = n->check_tick;
		n->good_ns = world_now_ns(sgk.w);
		if (n->good > n->doubt)
			n->blamed = false;
	}
	n->told = *info;
	n->told_valid = true;
}

void __real_path_checked(struct path *p, enum check_result result, const struct path_info *info, const char *why);
void __wrap_path_checked(struct path *p, enum check_result result, const struct path_info *info, const char *why);
void __wrap_path_checked(struct path *p, enum check_result result, const struct path_info *info, const char *why)
{
	struct nexus *n = nexus_of(p);

	if (n)
		check_told(n, result, info, why);
	__real_path_checked(p, result, info, why);
}

void __real_path_told(struct path *p, unsigned news);
void __wrap_path_told(struct path *p, unsigned news);
void __wrap_path_told(struct path *p, unsigned news)
{
	struct nexus *n = nexus_of(p);

	if (n && (news & VF_CACHE) && dev_of(n)->reset) {
		dev_of(n)->reset = false;
		world_reset_told(sgk.w, n);
	}
	__real_path_told(p, news);
}

void __real_path_lost(struct path *p, const char *why);
void __wrap_path_lost(struct path *p, const char *why);
void __wrap_path_lost(struct path *p, const char *why)
{
	struct nexus *n = nexus_of(p);

	if (n && !dev_of(n)->gone && !dev_of(n)->refused)
		world_fail(sgk.w, "O6", "path %u is lost without a reason (\"%s\")", n->id, why);
	if (n)
		nexus_doubt(n, "its device went away", true);
	__real_path_lost(p, why);
}

void __real_path_doubt(struct path *p, const char *why);
void __wrap_path_doubt(struct path *p, const char *why);
void __wrap_path_doubt(struct path *p, const char *why)
{
	struct nexus *n = nexus_of(p);

	/* Its own check met it, and starts over. */
	if (n) {
		nexus_doubt(n, "its check met a unit attention", false);
		n->check_tick = world_tick(sgk.w);
	}
	__real_path_doubt(p, why);
}

void __real_path_closed(struct path *p);
void __wrap_path_closed(struct path *p);
void __wrap_path_closed(struct path *p)
{
	struct nexus *n = nexus_of(p);

	if (n)
		nexus_left(n);
	__real_path_closed(p);
}

