/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_config_man.c - proves that lunmux.conf(5) has every keyword of the
 * table, with its default and its range, and no other; and that the example
 * file is valid when its comment signs are removed, and gives the defaults.
 *
 * Files are found from $srcdir, which the test driver sets.
 */
#include <config.h>

#include <stdio.h>

#include "base/cleanup.h"
#include "config/config.h"
#include "config/keywords.h"
#include "unit.h"

static char *read_source(const char *name)
{
	const char *srcdir = getenv("srcdir");
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *path = NULL;
	char *text = calloc(1, 100000);

	ck_assert_int_ge(asprintf(&path, "%s/%s", srcdir ? srcdir : ".", name), 0);
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s: cannot be read", path);
	ck_assert_uint_lt(fread(text, 1, 99999, f), 99999);
	return text;
}

/* The text of the item of @name, or NULL; to be freed. */
static char *man_item(const char *man, const char *name)
{
	_cleanup_free_ char *start = NULL;
	const char *at, *end;

	ck_assert_int_ge(asprintf(&start, "\n.It Ic %s Ar ", name), 0);
	at = strstr(man, start);
	if (!at)
		return NULL;
	ck_assert_msg(!strstr(at + 1, start), "%s: twice in the manual", name);
	at++;
	end = strstr(at, "\n.It ");
	if (!end || (strstr(at, "\n.El") && strstr(at, "\n.El") < end))
		end = strstr(at, "\n.El");
	return strndup(at, (size_t)(end - at));
}

static void check_range(const struct keyword *kw, const char *item)
{
	char range[80] = "";

	if (kw->type == &kw_number || kw->type == &kw_number_auto ||
	    kw->type == &kw_number_no)
		snprintf(range, sizeof(range), "%d to %d", (int)kw->min, (int)kw->max);
	else if (kw->type == &kw_time || kw->type == &kw_time_auto ||
		 kw->type == &kw_time_no)
		snprintf(range, sizeof(range), "%s to %s", time_text(kw->min).s,
			 time_text(kw->max).s);
	ck_assert_msg(strstr(item, range) != NULL, "%s: its range is %s", kw->name, range);
}

START_TEST(test_manual_has_keywords)
{
	_cleanup_free_ char *man = read_source("man/lunmux.conf.5");

	for (size_t i = 0; i < KEYWORDS_NR; i++) {
		const struct keyword *kw = &keywords[i];
		_cleanup_free_ char *item = man_item(man, kw->name), *def = NULL;

		ck_assert_msg(item != NULL, "%s: not in lunmux.conf(5)", kw->name);
		ck_assert_int_ge(asprintf(&def, "\nDefault:\n.Cm %s .\n", kw->def), 0);
		if (kw->def)
			ck_assert_msg(strstr(item, def) != NULL, "%s: its default is %s",
				      kw->name, kw->def);
		else
			ck_assert_msg(!strstr(item, "Default:"), "%s: has no default", kw->name);
		check_range(kw, item);
		for (size_t w = 0; w < kw->nwords; w++)
			ck_assert_msg(strstr(item, kw->words[w]) != NULL, "%s: lacks %s",
				      kw->name, kw->words[w]);
	}
}
END_TEST

START_TEST(test_keywords_have_manual)
{
	_cleanup_free_ char *man = read_source("man/lunmux.conf.5");
	static const char start[] = "\n.It Ic ";
	unsigned n = 0;

	for (char *at = strstr(man, start); at; at = strstr(at, start)) {
		size_t len;

		at += sizeof(start) - 1;
		len = strcspn(at, " \n");
		ck_assert_int_eq(at[len], ' ');
		at[len] = '\0';
		ck_assert_msg(keyword_find(at) != NULL, "%s: in the manual only", at);
		at[len] = ' ';
		n++;
	}
	ck_assert_uint_eq(n, KEYWORDS_NR);
}
END_TEST

/* Remove the # where no blank follows it: there it hides an example. */
static void uncomment(char *text)
{
	char *to = text;
	bool line_start = true;

	for (const char *from = text; *from; from++) {
		bool hides = line_start && *from == '#' && from[1] != ' ';

		line_start = *from == '\n';
		if (!hides)
			*to++ = *from;
	}
	*to = '\0';
}

static struct config *parse(const char *text)
{
	struct conf_errors errs = { 0 };
	struct config *c = NULL;

	config_parse("lunmux.conf", text, strlen(text), &c, &errs);
	ck_assert_msg(!errs.nmsgs, "%s", errs.nmsgs ? errs.msgs[0].text : "");
	conf_errors_clear(&errs);
	return c;
}

/* The keywords that a reload leaves alone are named, and no other. */
START_TEST(test_manual_has_restarts)
{
	_cleanup_free_ char *man = read_source("man/lunmux.conf.5");
	char *at = strstr(man, "\n.Ss Changes while the daemon runs\n"), *end;

	ck_assert_ptr_nonnull(at);
	end = strstr(at, "\n.Pp\n");
	ck_assert_ptr_nonnull(end);
	*end = '\0';
	for (char *c = at; *c; c++)
		if (*c == '\n' || *c == ',')
			*c = ' ';
	for (size_t i = 0; i < KEYWORDS_NR; i++) {
		_cleanup_free_ char *word = NULL;

		ck_assert_int_ge(asprintf(&word, " %s ", keywords[i].name), 0);
		ck_assert_msg(!strstr(at, word) == !!(keywords[i].flags & KW_LIVE),
			      "%s: the manual and KW_LIVE disagree", keywords[i].name);
	}
}
END_TEST

START_TEST(test_example)
{
	_cleanup_free_ char *text = read_source("etc/lunmux.conf");
	struct config *as_is = parse(text), *active;

	ck_assert_uint_eq(as_is->nluns, 0);
	uncomment(text);
	active = parse(text);
	ck_assert_uint_eq(active->nluns, 4);
	ck_assert_ptr_nonnull(config_find(active, "db01"));
	ck_assert_uint_eq(config_find(active, "lab2")->npaths, 2);
	ck_assert(lun_conf_equal(&as_is->defaults, &active->defaults));
	/* each keyword is shown */
	for (size_t i = 0; i < KEYWORDS_NR; i++) {
		_cleanup_free_ char *line = NULL;

		ck_assert_int_ge(asprintf(&line, "\t%s ", keywords[i].name), 0);
		ck_assert_msg(strstr(text, line) != NULL, "%s: not in the example file",
			      keywords[i].name);
	}
	config_free(active);
	config_free(as_is);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_man");
	TCase *tc = tcase_create("documents");

	tcase_add_test(tc, test_manual_has_keywords);
	tcase_add_test(tc, test_keywords_have_manual);
	tcase_add_test(tc, test_manual_has_restarts);
	tcase_add_test(tc, test_example);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
