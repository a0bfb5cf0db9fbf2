/* SPDX-License-Identifier: GPL-2.0-or-later */
/* builder.h - what the parts that turn a tree into a struct config share. */
#ifndef CONFIG_BUILDER_H
#define CONFIG_BUILDER_H

#include "config/config.h"
#include "config/keywords.h"
#include "config/message.h"
#include "config/parser.h"

/* A value that only one LUN may have, and where it was given. */
struct claim {
	const struct keyword *kw;
	char *key;
	struct conf_pos pos;
	size_t nth; /* in the order of the files */
};

struct builder {
	struct conf_errors *errs;
	struct config *c;		      /* being built */
	struct conf_pos defaults_set[KEYWORDS_NR]; /* where defaults {} set it; .file NULL: nowhere */
	bool dm_seen[DM_WORDS_MAX];	      /* warned about: dm_words, then dm_sections */
	struct claim *claims;
	size_t nclaims, claims_room;
	int err; /* -ENOMEM ends everything */
};

/* config.c: the configuration in @top, or messages.  0, -EINVAL, -ENOMEM. */
int config_build(const char *file, const struct conf_nodes *top, struct config **ret,
		 struct conf_errors *errs);

/* check.c: do the settings of @lun agree with each other?  @set: where each of
 * them was given. */
void check_lun(struct builder *b, const struct lun_conf *lun, const struct conf_pos *set);
/* check.c: the same for a @lun of which @key alone is new.  False: @buf says what is wrong. */
bool check_setting(const struct lun_conf *lun, const char *key, char *buf, size_t size);
/* check.c: remember that @lun has just got a value of @kw at @pos. */
void check_claim(struct builder *b, const struct keyword *kw, const struct lun_conf *lun,
		 struct conf_pos pos);
/* check.c: is anything claimed twice? */
void check_claims(struct builder *b);

/* load.c: the statements of @file, which must outlive them, at the end of @top; no drop-ins.  As
 * config_load() but for what they mean. */
int config_read_nodes(const char *file, struct conf_nodes *top, struct conf_errors *errs);

/* config.c: free what a LUN's settings own. */
void lun_conf_fini(struct lun_conf *lun);

/* dump.c: @s, in quotes unless it is plainly one word. */
void print_quoted(FILE *f, const char *s);
/* dump.c: the @i-th value of @kw, to be freed; NULL: there is none, or no memory (*err). */
char *setting_text(const struct keyword *kw, const struct lun_conf *lun, size_t i, int *err);

#endif
