/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sg_steps.h - between the machine of a check (sg_check.c) and its steps (sg_steps.c).
 */
#ifndef PATH_SG_STEPS_H
#define PATH_SG_STEPS_H

#include "path/sg_priv.h"

enum reply_kind {
	REPLY_OK,
	REPLY_REFUSED,	   /* the device answers, and does not do it */
	REPLY_NOT_SERVING, /* its port group does not, now */
};

struct sg_reply {
	enum reply_kind kind;
	const struct outcome *o;
	const uint8_t *data;
	size_t len; /* that came */
};

enum sg_next {
	STEP_NEXT,
	STEP_END, /* sg_check_end() or sg_check_again() was called */
};

struct sg_step {
	const char *name;
	bool (*wanted)(const struct sg_path *s); /* NULL: always */
	/* Fill in CDB and header of the slot. NULL: a step without a command. */
	void (*build)(struct sg_path *s, struct sg_slot *slot);
	enum sg_next (*done)(struct sg_path *s,
			     const struct sg_reply *r); /* r NULL without command */
	bool spare; /* left out where the LU has no room for it */
};

extern const struct sg_step sg_steps[];
extern const unsigned sg_nsteps;

/* The end is known; core hears of it from a task. Both return STEP_END. */
enum sg_next sg_check_end(struct sg_path *s, enum check_result result, const char *fmt,
			  ...) __attribute__((format(printf, 3, 4)));
/* Ask this step again in a moment, or the end (CHECK_DOWN) if that was done often enough. */
enum sg_next sg_check_again(struct sg_path *s, const char *why);
/* Ask everything again, or the end (CHECK_DOWN) if that was done often enough. */
enum sg_next sg_check_anew(struct sg_path *s, const char *why);
/* Down, because of how the command of this step ended. */
enum sg_next sg_check_end_outcome(struct sg_path *s, const struct outcome *o);

#endif
