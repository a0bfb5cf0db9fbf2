/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diff.c - settings compared, and changed one at a time in a running daemon.
 *
 * They are compared by what the dump would print: each type writes its values
 * exactly.
 */
#include <config.h>

#include "config/builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "config/nearest.h"

/* All values of @kw, to be freed; NULL without memory. */
static char *values_text(const struct keyword *kw, const struct lun_conf *lun)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int err = 0;

	if (!f)
		return NULL;
	for (size_t i = 0;; i++) {
		_cleanup_free_ char *one = setting_text(kw, lun, i, &err);

		if (!one)
			break;
		fprintf(f, "%s%s", i ? " " : "", one);
	}
	if (!fclose(f) && !err)
		return text;
	free(text);
	return NULL;
}

char *lun_conf_value(const struct lun_conf *lun, const char *keyword)
{
	const struct keyword *kw = keyword_find(keyword);

	return kw ? values_text(kw, lun) : NULL;
}

int lun_conf_diff(const struct lun_conf *a, const struct lun_conf *b, conf_diff_fn *fn, void *arg)
{
	for (size_t k = 0; k < KEYWORDS_NR; k++) {
		const struct keyword *kw = &keywords[k];
		_cleanup_free_ char *from = values_text(kw, a);
		_cleanup_free_ char *to = values_text(kw, b);

		if (!from || !to)
			return -ENOMEM;
		if (strcmp(from, to))
			fn(arg, kw->name, kw->flags & KW_LIVE, from, to);
	}
	return 0;
}

static void differs(void *arg, const char *keyword, bool live, const char *from, const char *to)
{
	*(bool *)arg = true;
}

bool lun_conf_equal(const struct lun_conf *a, const struct lun_conf *b)
{
	bool differ = false;

	return lun_conf_diff(a, b, differs, &differ) == 0 && !differ;
}

/* --- one setting --- */

static bool may_be_set(const struct keyword *kw)
{
	return kw->flags & KW_LIVE && !(kw->flags & KW_REPEATS);
}

static const struct keyword *find_setting(const char *key, struct conf_why *why)
{
	static const struct {
		const char *word, *name;
	} shorts[] = { { "selector", "path_selector" },
		       { "depth", "queue_depth" },
		       { "policy", "path_grouping_policy" } };
	struct nearest near = nearest_start(key);
	const struct keyword *kw;

	for (size_t i = 0; i < ARRAY_SIZE(shorts); i++) {
		if (!strcmp(shorts[i].word, key))
			return keyword_find(shorts[i].name);
		nearest_offer(&near, shorts[i].word);
	}
	kw = keyword_find(key);
	if (kw && may_be_set(kw))
		return kw;
	for (size_t i = 0; i < KEYWORDS_NR; i++)
		if (may_be_set(&keywords[i]))
			nearest_offer(&near, keywords[i].name);
	snprintf(why->why, sizeof(why->why), "key: %.64s cannot be set%s", key,
		 kw ? " while the daemon runs" : "");
	if (kw)
		snprintf(why->hint, sizeof(why->hint), "lunmux.conf has it, and %s",
			 kw->flags & KW_LIVE ? "reload takes it over" : "a restart takes it over");
	else if (near.best)
		snprintf(why->hint, sizeof(why->hint), "did you mean %s?", near.best);
	else
		snprintf(why->hint, sizeof(why->hint), "lunmux.conf(5) lists the live settings");
	return NULL;
}

/* The words that it takes, where they are few. */
static void hint_words(const struct keyword *kw, struct conf_why *why)
{
	size_t len = 0;

	for (size_t i = 0; i < kw->nwords; i++)
		len += (size_t)snprintf(why->hint + len, sizeof(why->hint) - len, "%s%s",
					i ? ", " : "one of ", kw->words[i]);
	if (len >= sizeof(why->hint))
		why->hint[0] = '\0';
}

int config_set(struct config *c, const char *alias, const char *key, const char *value,
	       const char **ret_keyword, struct conf_why *why)
{
	struct lun_conf *lun = (struct lun_conf *)config_find(c, alias), copy;
	const struct keyword *kw;
	struct kw_why kwhy = { .hint = "" };
	int r;

	memset(why, 0, sizeof(*why));
	if (!lun)
		return -ENOENT;
	kw = find_setting(key, why);
	if (!kw)
		return -EINVAL;
	/* None of these settings owns memory: the copy shares what the others own. */
	copy = *lun;
	r = kw->type->set(kw, &copy, value, &kwhy);
	if (r < 0) {
		snprintf(why->why, sizeof(why->why), "%s %s: %.250s", kw->name, conf_show(value).s,
			 kwhy.why);
		snprintf(why->hint, sizeof(why->hint), "%s", kwhy.hint);
		if (!why->hint[0])
			hint_words(kw, why);
		return r;
	}
	/* As lun_complete() has it. */
	if (!copy.max_polling_interval_ns)
		copy.max_polling_interval_ns = MIN(4 * copy.polling_interval_ns, MAX_POLLING_NS);
	r = snprintf(why->why, sizeof(why->why), "%s %s: ", kw->name, conf_show(value).s);
	if (!check_setting(&copy, kw->name, why->why + r, sizeof(why->why) - (size_t)r))
		return -EINVAL;
	why->why[0] = '\0';
	*lun = copy;
	*ret_keyword = kw->name;
	return 0;
}
