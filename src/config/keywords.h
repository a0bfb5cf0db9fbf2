/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keywords.h - the one table of all keywords: it drives parsing, defaults,
 * suggestions, the dump, and the test that reads the manual page.
 */
#ifndef CONFIG_KEYWORDS_H
#define CONFIG_KEYWORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/config.h"
#include "config/message.h"

struct keyword;

/* Why a value was refused. */
struct kw_why {
	char why[256];
	char hint[256]; /* empty: none */
};

/* One way of writing values.  Values go to and come from the member of struct
 * lun_conf that the keyword names. */
struct kw_type {
	/* Required.  0, perhaps with @why filled, which is a warning then; -EINVAL with
	 * @why filled and @lun as it was; -ENOMEM. */
	int (*set)(const struct keyword *kw, struct lun_conf *lun, const char *value,
		   struct kw_why *why);
	/* Required.  Write the @i-th value as set() takes it, without quotes.
	 * False if there is none: a keyword that is not repeated has one or none. */
	bool (*print)(const struct keyword *kw, const struct lun_conf *lun, size_t i, FILE *f);
};

/* Where a keyword may stand. */
enum kw_scope {
	KW_DEFAULTS = 1 << 0,	     /* defaults {} and overrides {} */
	KW_MULTIPATH = 1 << 1,	     /* multipath {} */
	KW_DEFAULTS_EXPORT = 1 << 2, /* export {} of defaults */
	KW_EXPORT = 1 << 3,	     /* export {} of multipath */
};

enum kw_flag {
	KW_REPEATS = 1 << 0, /* may be given several times in a section */
	KW_UNIQUE = 1 << 1,  /* no two LUNs may have the same value */
	KW_LIVE = 1 << 2,    /* a running daemon takes it over; the rest waits for its next start */
};

struct keyword {
	const char *name;
	unsigned scopes; /* enum kw_scope */
	unsigned flags;	 /* enum kw_flag */
	const struct kw_type *type;
	size_t offset;	   /* of the member in struct lun_conf */
	uint64_t min, max; /* of a number; of a word list, min is the first word's number */
	const char *const *words;
	size_t nwords;
	const char *def; /* the built-in default as one would write it, NULL: none */
};

#define KEYWORDS_NR 47
#define MAX_POLLING_NS (24 * 3600 * 1000000000ull) /* the longest max_polling_interval */
extern const struct keyword keywords[KEYWORDS_NR];

/* NULL if there is none of that name. */
const struct keyword *keyword_find(const char *name);
static inline size_t keyword_index(const struct keyword *kw)
{
	return (size_t)(kw - keywords);
}

/* What only makes sense to device-mapper, or to multipathd: taken, not used. */
struct dm_word {
	const char *name;
	const char *hint; /* what lunmux has instead, or NULL */
};
#define DM_WORDS_MAX 128 /* bound of both lists below together */
extern const struct dm_word dm_words[];
extern const size_t dm_words_nr;
/* Sections among them: their contents are not looked at. */
extern const struct dm_word dm_sections[];
extern const size_t dm_sections_nr;

/* The nearest keyword, or device-mapper's, that may stand in @scope; or NULL. */
const char *keyword_nearest(const char *word, enum kw_scope scope);

/* Name of the section that @scope means. */
const char *kw_scope_name(enum kw_scope scope);

/* A WWID as all of its printed forms have it in common, for comparisons: as
 * multipath prints it.  @buf has WWID_BYTES_MAX bytes. */
void wwid_common_form(const char *wwid, char *buf);

/* The types (values.c, values_special.c). */
extern const struct kw_type kw_number, kw_number_auto, kw_yes_no, kw_words;
extern const struct kw_type kw_time, kw_time_auto, kw_size, kw_bytes;
/* "no" is 0 */
extern const struct kw_type kw_time_no, kw_number_no;
extern const struct kw_type kw_alias, kw_wwid, kw_text, kw_file, kw_paths, kw_selector, kw_grouping;
extern const struct kw_type kw_checker;
extern const struct kw_type kw_failback, kw_no_path_retry, kw_nbd_device, kw_tcp;

/* Numbers that several types share.  False: @why says what is wrong. */
bool parse_time_ns(const char *value, uint64_t min_ns, uint64_t max_ns, uint64_t *ret_ns,
		   struct kw_why *why);
bool parse_number(const char *value, uint64_t min, uint64_t max, uint64_t *ret,
		  struct kw_why *why);
/* The shortest exact way to write @ns, "1500ms". */
struct time_text {
	char s[32];
};
struct time_text time_text(uint64_t ns);

/* Fill @why; always -EINVAL.  @hint may be NULL. */
int refuse(struct kw_why *why, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
