/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim.h - a path driver whose device is a model: the null engine that can also
 * fail.  The driver keeps the contract of core/path_ops.h; the model decides
 * what becomes of each command and when.
 */
#ifndef PATH_SIM_H
#define PATH_SIM_H

#include "core/path.h"

struct sim_path;

/* What becomes of one command. */
struct sim_fate {
	int submit;		/* 0, -EAGAIN or -ENODEV: what submit() returns */
	uint64_t apply_ns;	/* effect on the medium after so long; SIM_NEVER: none */
	uint64_t end_ns;	/* completion after so long (>= apply_ns unless that is NEVER) */
	struct outcome outcome; /* as the driver would have judged */
};
#define SIM_NEVER UINT64_MAX

struct sim_check {
	uint64_t end_ns;
	enum check_result result;
	const char *why;
	unsigned news;	       /* enum verdict_flag that its commands met */
	struct path_info info; /* for CHECK_OK */
	bool no_info;	       /* CHECK_OK of a cheap check: core gets no info */
};

/* The model. @model is what sim_path_new() got. */
struct sim_model_ops {
	/* Required. @cmd is about to be sent: fill in *fate, all zero before. */
	void (*fate)(void *model, struct sim_path *sp, struct cmd *cmd, struct sim_fate *fate);
	/* Required. The effect takes place: copy data between cmd->iov and the medium. Called
	 * at most once, before or at the completion. */
	void (*apply)(void *model, struct sim_path *sp, struct cmd *cmd);
	/* Required. What a check finds out; decided at its start. */
	void (*check)(void *model, struct sim_path *sp, bool full, struct sim_check *check);
	/* Optional. The check is over; core hears of it next. May change *check. */
	void (*checked)(void *model, struct sim_path *sp, bool full, struct sim_check *check);
	/* Optional. The command has ended, and its slot is free again. cmd->outcome is what core
	 * will hear; may change it. */
	void (*ended)(void *model, struct sim_path *sp, struct cmd *cmd);
	/* Optional. The next full check asks for its port group. */
	void (*activate)(void *model, struct sim_path *sp);
	/* Optional. The path object is about to be freed. */
	void (*released)(void *model, struct sim_path *sp);
};

struct sim_path {
	struct path path;
	struct loop *loop;
	const struct sim_model_ops *model_ops;
	void *model;
	unsigned id; /* the model's */
	/* private */
	struct sim_slot *slots;
	unsigned nslots, nbusy;
	struct loop_timer check_timer, room_timer;
	struct sim_check check;
	bool checking, check_full, closing;
	struct loop_task close_task;
};

/* @nslots: commands at once; -EAGAIN above. 0 or -ENOMEM. */
int sim_path_new(struct loop *l, const char *name, unsigned nslots, const struct sim_model_ops *ops,
		 void *model, unsigned id, struct sim_path **ret);

/* The process is killed: the memory of @sp goes, the model hears nothing. */
void sim_path_vanish(struct sim_path *sp);

#endif
