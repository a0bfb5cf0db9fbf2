/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim.c - see sim.h. One slot and two timers a command; nothing is allocated per command. */
#include "path/sim.h"

#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct sim_slot {
	struct sim_path *sp;
	struct cmd *cmd; /* NULL: free */
	struct outcome outcome;
	struct loop_timer apply_timer, end_timer;
};

static struct sim_path *sim_of(struct path *p)
{
	return container_of(p, struct sim_path, path);
}

static void sim_close_maybe(struct sim_path *sp)
{
	if (sp->closing && !sp->nbusy && !sp->checking)
		loop_task_queue(sp->loop, &sp->close_task);
}

static void sim_apply(struct loop_timer *t)
{
	struct sim_slot *s = container_of(t, struct sim_slot, apply_timer);

	s->sp->model_ops->apply(s->sp->model, s->sp, s->cmd);
}

static void sim_end(struct loop_timer *t)
{
	struct sim_slot *s = container_of(t, struct sim_slot, end_timer);
	struct sim_path *sp = s->sp;
	struct cmd *cmd = s->cmd;

	/* An effect that is due at the same time comes first. */
	if (loop_timer_running(&s->apply_timer)) {
		loop_timer_stop(sp->loop, &s->apply_timer);
		sp->model_ops->apply(sp->model, sp, cmd);
	}
	s->cmd = NULL;
	sp->nbusy--;
	cmd->outcome = s->outcome;
	if (sp->model_ops->ended)
		sp->model_ops->ended(sp->model, sp, cmd);
	path_complete(cmd);
	path_room(&sp->path);
	sim_close_maybe(sp);
}

static void sim_room(struct loop_timer *t)
{
	path_room(&container_of(t, struct sim_path, room_timer)->path);
}

static int sim_submit(struct path *p, struct cmd *cmd)
{
	struct sim_path *sp = sim_of(p);
	struct sim_fate fate = { 0 };
	struct sim_slot *s = NULL;

	assert(!sp->closing);
	for (unsigned i = 0; i < sp->nslots && !s; i++)
		if (!sp->slots[i].cmd)
			s = &sp->slots[i];
	if (!s)
		return -EAGAIN;
	sp->model_ops->fate(sp->model, sp, cmd, &fate);
	if (fate.submit < 0) {
		/* The room that the model denied comes back by itself. */
		if (fate.submit == -EAGAIN && !sp->nbusy)
			loop_timer_in(sp->loop, &sp->room_timer, fate.end_ns ? fate.end_ns : NS_PER_MS);
		return fate.submit;
	}
	s->cmd = cmd;
	s->outcome = fate.outcome;
	sp->nbusy++;
	if (fate.apply_ns != SIM_NEVER) {
		assert(fate.apply_ns <= fate.end_ns);
		loop_timer_in(sp->loop, &s->apply_timer, fate.apply_ns);
	}
	loop_timer_in(sp->loop, &s->end_timer, fate.end_ns);
	return 0;
}

static void sim_check_end(struct loop_timer *t)
{
	struct sim_path *sp = container_of(t, struct sim_path, check_timer);
	bool told;

	sp->checking = false;
	if (sp->model_ops->checked)
		sp->model_ops->checked(sp->model, sp, sp->check_full, &sp->check);
	told = sp->check.result == CHECK_MARGINAL || (sp->check.result == CHECK_OK && !sp->check.no_info);
	path_told(&sp->path, sp->check.news);
	path_checked(&sp->path, sp->check.result, told ? &sp->check.info : NULL,
		     sp->check.why);
	sim_close_maybe(sp);
}

static void sim_check(struct path *p, bool full)
{
	struct sim_path *sp = sim_of(p);

	assert(!sp->checking && !sp->closing);
	sp->checking = true;
	sp->check_full = full;
	sp->check = (struct sim_check){ 0 };
	sp->model_ops->check(sp->model, sp, full, &sp->check);
	loop_timer_in(sp->loop, &sp->check_timer, sp->check.end_ns);
}

static void sim_activate(struct path *p)
{
	struct sim_path *sp = sim_of(p);

	if (sp->model_ops->activate)
		sp->model_ops->activate(sp->model, sp);
}

static void sim_closed(struct loop_task *t)
{
	path_closed(&container_of(t, struct sim_path, close_task)->path);
}

static void sim_close(struct path *p)
{
	struct sim_path *sp = sim_of(p);

	sp->closing = true;
	sim_close_maybe(sp);
}

static void sim_release(struct path *p)
{
	struct sim_path *sp = sim_of(p);

	assert(!sp->nbusy && !sp->checking);
	if (sp->model_ops->released)
		sp->model_ops->released(sp->model, sp);
	loop_timer_stop(sp->loop, &sp->room_timer);
	loop_task_cancel(sp->loop, &sp->close_task);
	free(sp->slots);
	free(sp);
}

void sim_path_vanish(struct sim_path *sp)
{
	free(sp->slots);
	free(sp);
}

static const struct path_ops sim_path_ops = {
	.name = "sim",
	.submit = sim_submit,
	.check = sim_check,
	.activate = sim_activate,
	.close = sim_close,
	.release = sim_release,
};

int sim_path_new(struct loop *l, const char *name, unsigned nslots, const struct sim_model_ops *ops,
		 void *model, unsigned id, struct sim_path **ret)
{
	struct sim_path *sp = calloc(1, sizeof(*sp));

	if (!sp)
		return -ENOMEM;
	sp->slots = calloc(nslots, sizeof(*sp->slots));
	if (!sp->slots) {
		free(sp);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < nslots; i++) {
		sp->slots[i].sp = sp;
		loop_timer_init(&sp->slots[i].apply_timer, sim_apply);
		loop_timer_init(&sp->slots[i].end_timer, sim_end);
	}
	sp->path.ops = &sim_path_ops;
	snprintf(sp->path.name, sizeof(sp->path.name), "%s", name);
	sp->path.host = sp->path.numa_node = -1;
	sp->loop = l;
	sp->model_ops = ops;
	sp->model = model;
	sp->id = id;
	sp->nslots = nslots;
	loop_timer_init(&sp->check_timer, sim_check_end);
	loop_timer_init(&sp->room_timer, sim_room);
	loop_task_init(&sp->close_task, LOOP_COLLECT, sim_closed);
	*ret = sp;
	return 0;
}
