/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verbs_resize.c - resize: the paths are asked for the size of the LUN, and all must agree. */
#include "config.h"

#include "ctl/verbs.h"

#include <errno.h>

static unsigned long long in_bytes(struct ctl_server *s, uint64_t nblocks)
{
	struct lun_geometry g;

	return lun_geometry(s->lun, &g) ? (unsigned long long)(nblocks * g.block_bytes) : 0;
}

static enum ctl_end resized(struct ctl_call *call, bool changed)
{
	const struct lun_resize *rs = &call->wait.resize;
	struct ctl_server *s = call->s;
	struct jb b = jb_begin();

	jb_str(&b, "name", lun_params(s->lun)->name);
	jb_bool(&b, "changed", changed);
	jb_u64(&b, "old_bytes", in_bytes(s, rs->old_blocks));
	jb_u64(&b, "size_bytes", in_bytes(s, rs->new_blocks));
	return ctl_verb_done(call, jb_end(&b));
}

enum ctl_end ctl_resize_check(struct ctl_call *call)
{
	struct lun_resize *rs = &call->wait.resize;
	struct ctl_server *s = call->s;

	switch (lun_resize_step(rs)) {
	case RESIZE_RUNNING:
		return CTL_LATER;
	case RESIZE_SAME:
		return resized(call, false);
	case RESIZE_GROWN:
		log_notice("resize by lunmuxctl: %llu bytes, were %llu", in_bytes(s, rs->new_blocks),
			   in_bytes(s, rs->old_blocks));
		return resized(call, true);
	case RESIZE_DIFFERS:
		ctl_fail(&call->err, CTL_E_FAILED,
			 "the size stays %llu bytes: %s does not tell of the %llu that another path has",
			 in_bytes(s, rs->new_blocks), rs->path, in_bytes(s, rs->told_blocks));
		ctl_hint(&call->err, "let the array or the kernel (losetup -c) show the new size on that "
				     "path, or fail-path it");
		return CTL_FAILED;
	case RESIZE_SHRUNK:
		ctl_fail(&call->err, CTL_E_FAILED,
			 "refused: %s tells that the LUN has shrunk from %llu to %llu bytes; the size in "
			 "use stays, the path is not used",
			 rs->path, in_bytes(s, rs->new_blocks), in_bytes(s, rs->told_blocks));
		ctl_hint(&call->err, "make the LUN as large again; to use less of it, stop lunmuxd and "
				     "start it anew");
		return CTL_FAILED;
	case RESIZE_NO_PATH:
		break;
	}
	return ctl_verb_failed(call, CTL_E_FAILED, "no path is usable any more that could be asked");
}

void ctl_resize_expired(struct ctl_call *call)
{
	ctl_fail(&call->err, CTL_E_TIMEOUT, "%s has not answered its check after %.1f s",
		 call->wait.resize.path,
		 (double)(call->wait.due_ns - call->wait.start_ns) / (double)NS_PER_SEC);
	ctl_hint(&call->err, "the status shows the paths; resize can be said again");
}

enum ctl_end verb_resize(struct ctl_call *call)
{
	struct ctl_wait *w = &call->wait;

	if (!ctl_arg_timeout(call))
		return CTL_FAILED;
	switch (lun_resize_begin(call->s->lun, &w->resize)) {
	case 0:
		w->kind = CTL_WAIT_RESIZE;
		log_info("resize by lunmuxctl");
		return CTL_LATER;
	case -ENETDOWN:
		return ctl_verb_failed(call, CTL_E_FAILED, "no path is usable that could be asked");
	default:
		return ctl_verb_failed(call, CTL_E_STOPPING, "the LUN is being stopped");
	}
}
