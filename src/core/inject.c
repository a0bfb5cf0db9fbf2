/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inject.c - test faults on a path, see inject.h.
 *
 * They stand between driver and core: to the driver a command that is held has
 * ended, to core it is out.  So all that core does for a slow, a silent or a
 * failing path is what it does here.  What is held comes out when the fault is
 * taken off, the path is removed or the LUN stops, with the driver's outcome.
 */
#include "core/lun_priv.h"

#include "base/log.h"
#include "base/prng.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char by_hand[] = "test fault by the administrator";

char *inject_text(const struct path *p, char *buf, size_t size)
{
	const struct inject *in = &p->inject;
	const struct inject_order *o = &in->order;
	char ms[40] = "", percent[24] = "", count[24] = "", held[24] = "";

	buf[0] = '\0';
	if (o->fault == INJECT_OFF)
		return buf;
	if (o->fault == INJECT_DELAY)
		snprintf(ms, sizeof(ms), " %llu ms", (unsigned long long)(o->delay_ns / NS_PER_MS));
	if (o->percent)
		snprintf(percent, sizeof(percent), " %u%%", o->percent);
	if (o->count)
		snprintf(count, sizeof(count), " of %u", o->count);
	if (in->nheld)
		snprintf(held, sizeof(held), ", %u held", in->nheld);
	snprintf(buf, size, "%s%s%s, %u%s done%s", inject_names[o->fault], ms, percent, in->nstruck, count,
		 held);
	return buf;
}

static void inject_let_go(struct path *p)
{
	struct inject *in = &p->inject;

	loop_timer_stop(p->lun->loop, &in->timer);
	if (!in->nheld)
		return;
	in->nheld = 0;
	STAILQ_CONCAT(&p->lun->completed, &in->held);
	lun_dirty(p->lun);
}

static void inject_tell(struct path *p, const char *from, const char *to)
{
	lun_event(p->lun, EVENT_FAULT, p->name, from, to, by_hand);
}

void inject_off(struct path *p, const char *why)
{
	struct inject *in = &p->inject;
	char text[80];

	if (in->order.fault == INJECT_OFF)
		return;
	log_warn("%s: test fault ends: %s (%s)", p->name, inject_text(p, text, sizeof(text)), why);
	inject_tell(p, inject_names[in->order.fault], "off");
	in->order.fault = INJECT_OFF;
	inject_let_go(p);
}

/* It may have done all that it was to do. */
static void inject_spent(struct path *p)
{
	const struct inject *in = &p->inject;

	if (in->order.count && in->nstruck >= in->order.count && !in->nheld)
		inject_off(p, "so many were asked for");
}

static void inject_due(struct loop_timer *t)
{
	struct path *p = container_of(t, struct path, inject.timer);
	struct inject *in = &p->inject;
	uint64_t now_ns = loop_now_ns(p->lun->loop);
	struct cmd *cmd;

	while ((cmd = STAILQ_FIRST(&in->held)) && cmd->due_ns <= now_ns) {
		STAILQ_REMOVE_HEAD(&in->held, link);
		in->nheld--;
		STAILQ_INSERT_TAIL(&p->lun->completed, cmd, link);
		lun_dirty(p->lun);
	}
	if (cmd)
		loop_timer_at(p->lun->loop, &in->timer, cmd->due_ns);
	else
		inject_spent(p);
}

void inject_init(struct path *p)
{
	p->inject.order.fault = INJECT_OFF;
	STAILQ_INIT(&p->inject.held);
	loop_timer_init(&p->inject.timer, inject_due);
}

int lun_inject(struct lun *lun, struct path *p, const struct inject_order *order)
{
	char text[80];

	if (p->state == PATH_GONE || lun->state >= LUN_DRAINING)
		return -ESHUTDOWN;
	inject_off(p, "another order");
	if (order->fault == INJECT_OFF)
		return 0;
	p->inject.order = *order;
	p->inject.nstruck = p->inject.ndrawn = 0;
	log_warn("%s: TEST FAULT by lunmuxctl from now on: %s", p->name, inject_text(p, text, sizeof(text)));
	inject_tell(p, "off", inject_names[order->fault]);
	return 0;
}

/* Is this one to suffer? */
static bool inject_strikes(struct path *p)
{
	struct inject *in = &p->inject;

	if (in->order.count && in->nstruck >= in->order.count)
		return false;
	if (in->order.percent && prng_mix(++in->ndrawn * 0x9e3779b97f4a7c15ull) % 100 >= in->order.percent)
		return false;
	in->nstruck++;
	return true;
}

static bool inject_hold(struct path *p, struct cmd *cmd)
{
	struct inject *in = &p->inject;

	STAILQ_INSERT_TAIL(&in->held, cmd, link);
	in->nheld++;
	if (in->order.fault == INJECT_DROP)
		return true;
	cmd->due_ns = loop_now_ns(p->lun->loop) + in->order.delay_ns;
	if (!loop_timer_running(&in->timer))
		loop_timer_at(p->lun->loop, &in->timer, cmd->due_ns);
	return true;
}

bool inject_takes(struct cmd *cmd)
{
	struct outcome *o = &cmd->outcome;
	struct path *p = cmd->path;

	switch (p->inject.order.fault) {
	case INJECT_ERROR:
		/* What went wrong by itself stays what it is. */
		if ((o->verdict != V_OK && o->verdict != V_OK_INFO) || !inject_strikes(p))
			return false;
		memset(o, 0, sizeof(*o));
		o->verdict = V_FAIL;
		o->err = o->sys_errno = EIO;
		inject_spent(p);
		return false;
	case INJECT_DELAY:
	case INJECT_DROP:
		return inject_strikes(p) && inject_hold(p, cmd);
	case INJECT_OFF:
	case INJECT_REFUSE:
	case INJECT_CHECK:
	case INJECT_NR:
		break;
	}
	return false;
}

bool inject_refuses(struct path *p)
{
	if (p->inject.order.fault != INJECT_REFUSE || !inject_strikes(p))
		return false;
	inject_spent(p);
	path_event(p, PEV_DOWN, "test fault: refused");
	return true;
}

bool inject_fails_check(struct path *p)
{
	if (p->inject.order.fault != INJECT_CHECK || !inject_strikes(p))
		return false;
	inject_spent(p);
	return true;
}
