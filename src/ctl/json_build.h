/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * json_build.h - an object built member by member with one look for errors at
 * the end: every call may fail for want of memory, and none is checked twice.
 */
#ifndef CTL_JSON_BUILD_H
#define CTL_JSON_BUILD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ctl/proto.h"

struct jb {
	json_t *obj;
	bool failed;
};

static inline struct jb jb_begin(void)
{
	struct jb b = {json_object(), false};

	b.failed = !b.obj;
	return b;
}

/* Takes @value; NULL is a failure. */
static inline void jb_set(struct jb *b, const char *key, json_t *value)
{
	if (b->failed || json_object_set_new(b->obj, key, value) < 0) {
		if (b->failed)
			json_decref(value);
		b->failed = true;
	}
}

static inline void jb_u64(struct jb *b, const char *key, uint64_t v)
{
	/* JSON integers are signed here. */
	jb_set(b, key, json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v));
}

static inline void jb_int(struct jb *b, const char *key, int64_t v)
{
	jb_set(b, key, json_integer(v));
}

static inline void jb_bool(struct jb *b, const char *key, bool v)
{
	jb_set(b, key, json_boolean(v));
}

/* Any bytes: made printable. At most 319 of them. */
static inline void jb_str(struct jb *b, const char *key, const char *v)
{
	char text[320];

	jb_set(b, key, json_string(ctl_clean(text, sizeof(text), v)));
}

/* The object, a new reference, or NULL. */
static inline json_t *jb_end(struct jb *b)
{
	if (b->failed) {
		json_decref(b->obj);
		return NULL;
	}
	return b->obj;
}

#endif
