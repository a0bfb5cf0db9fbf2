/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * discover_plan.c - a scan against the paths that are there.
 *
 * A name proves nothing: "sg3" or "loop4" is given to the next device as soon as
 * the last one is gone.  So a path is compared by the kernel object that it was
 * opened as.  Another object under its name is another path, even if it leads to
 * the same LUN: its host, its account and its history are not the old one's.
 *
 * What merely was not found may work all the same (the scan reads what the kernel
 * once read, a file may have lost its name), so such a path has to fail a check
 * before it is dropped.
 */
#include <config.h>

#include <string.h>

#include "path/discover_plan.h"

static void act(struct plan_path *p, enum plan_act what, const char *why)
{
	p->act = what;
	p->why = why;
}

static void judge(struct plan_path *p)
{
	bool broken = p->state == PLAN_FAILED || p->state == PLAN_DISABLED;

	act(p, PLAN_KEEP, NULL);
	if (p->state == PLAN_LEAVING)
		return;
	/* An open file works on without its name, or with another file under it. */
	if (p->is_file && !broken)
		return;
	if (!p->now[0]) {
		/* Without an object to miss only the path itself knows. */
		if (broken || p->ident[0])
			act(p, PLAN_DROP, "the device is not there any more");
		return;
	}
	if (p->ident[0] && strcmp(p->ident, p->now) != 0) {
		act(p, PLAN_DROP, "its name belongs to another device now");
		return;
	}
	if (p->found || p->is_file)
		return;
	/* Who has brought it knows better, unless it is a loop device that has lost its file. */
	if (p->by_hand && (p->is_sg || p->state != PLAN_FAILED))
		return;
	/* A quarantined sg device that is still the same one stays for the administrator to see; a
	 * loop device without our file is as good as not there. */
	if (p->state == PLAN_FAILED || (p->state == PLAN_DISABLED && !p->is_sg))
		act(p, PLAN_DROP, "the device is not the LUN's any more");
	else if (p->state == PLAN_WORKS && !p->doubted)
		act(p, PLAN_DOUBT, "the scan does not find it any more");
}

void discover_plan(struct plan_path *have, int nhave, struct plan_found *found, int nfound)
{
	int h, f;

	for (h = 0; h < nhave; h++)
		have[h].found = false;
	for (f = 0; f < nfound; f++) {
		found[f].behind = false;
		for (h = 0; h < nhave; h++)
			if (!have[h].found && !strcmp(have[h].name, found[f].name))
				break;
		found[f].add = h == nhave;
		if (h < nhave)
			have[h].found = true;
	}
	for (h = 0; h < nhave; h++)
		judge(&have[h]);
	for (h = 0; h < nhave; h++) {
		if (have[h].act != PLAN_DROP && have[h].state != PLAN_LEAVING)
			continue;
		for (f = 0; f < nfound; f++)
			if (!strcmp(have[h].name, found[f].name) && have[h].found)
				found[f].behind = true;
	}
}
