/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_config_parser.c - proves that files become the tree they say, that each
 * mistake gets one message with its place, that reading goes on behind it, and
 * how far a misspelt word may be from the right one.
 */
#include <config.h>

#include <limits.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "config/lexer.h"
#include "config/nearest.h"
#include "config/parser.h"
#include "unit.h"

/* "name=value " for an attribute, "name{...} " for a section. */
static void print_tree(const struct conf_nodes *nodes, FILE *f)
{
	const struct conf_node *n;

	STAILQ_FOREACH(n, nodes, link) {
		if (n->value) {
			fprintf(f, "%s=%s ", n->name, n->value);
			continue;
		}
		fprintf(f, "%s{ ", n->name);
		print_tree(&n->children, f);
		fputs("} ", f);
	}
}

static char *parse(const char *text, size_t len, char **ret_messages)
{
	struct conf_nodes top = STAILQ_HEAD_INITIALIZER(top);
	struct conf_errors errs = { 0 };
	char *tree = NULL;
	size_t n;
	FILE *f = open_memstream(&tree, &n);

	ck_assert_int_eq(parser_run("f", text, len, &top, &errs), 0);
	print_tree(&top, f);
	fclose(f);
	f = open_memstream(ret_messages, &n);
	conf_errors_print(&errs, f);
	fclose(f);
	conf_nodes_free(&top);
	ck_assert(STAILQ_EMPTY(&top));
	conf_errors_clear(&errs);
	return tree;
}

struct row {
	const char *text, *tree, *messages;
	size_t len; /* 0: strlen() */
};

static void run_row(const struct row *row)
{
	_cleanup_free_ char *messages = NULL, *tree = NULL;

	tree = parse(row->text, row->len ? row->len : strlen(row->text), &messages);
	ck_assert_str_eq(tree, row->tree);
	ck_assert_str_eq(messages, row->messages);
}

static const struct row good_rows[] = {
	{ "", "", "" },
	{ "\n\n \t\n", "", "" },
	{ "# only a comment", "", "" },
	{ "! only a comment\n", "", "" },
	{ "a b", "a=b ", "" },
	{ "a b # c\nd e ! f\n", "a=b d=e ", "" },
	{ "a { b c }", "a{ b=c } ", "" },
	{ "a{\nb c\n}\n", "a{ b=c } ", "" },
	{ "a\n{\nb c\n}", "a{ b=c } ", "" },
	{ "a # why\n\n{ # because\nb c # so\n} # end", "a{ b=c } ", "" },
	{ "a {}b {}", "a{ } b{ } ", "" },
	{ "a { b { c { d e\n } } } f g", "a{ b{ c{ d=e } } } f=g ", "" },
	{ "a { b c } d { }", "a{ b=c } d{ } ", "" },
	{ "a \"b c\"", "a=b c ", "" },
	{ "a \"\"", "a= ", "" },
	{ "a \"2.5\"\" SSD\"", "a=2.5\" SSD ", "" },
	{ "a \"#!{}\"", "a=#!{} ", "" },
	{ "a \"b\"#c", "a=b ", "" },
	{ "a\tb\r\nc d\r\n", "a=b c=d ", "" },
	{ "a \"b c\"\r\n", "a=b c ", "" },
	{ "a \xc3\xa4/\xff", "a=\xc3\xa4/\xff ", "" },
	{ "\xef\xbb\xbf" "a b", "a=b ", "" },
	{ "a b\n\n\n", "a=b ", "" },
};

START_TEST(test_good)
{
	run_row(&good_rows[_i]);
}
END_TEST

#define HINT_ONE "    hint: one attribute a line; a value with blanks goes in quotes\n"

static const struct row bad_rows[] = {
	{ "a", "", "f:1:1: \"a\": a value or '{' must follow\n" },
	{ "a\nb c\n", "b=c ", "f:1:1: \"a\": a value or '{' must follow\n" },
	{ "  a { b }", "a{ } ", "f:1:7: \"b\": a value or '{' must follow\n" },
	{ "a b c\nd e", "d=e ", "f:1:5: \"a\": one value only\n" HINT_ONE },
	{ "a b c d e\n", "", "f:1:5: \"a\": one value only\n" HINT_ONE },
	{ "a b { c d }\ne f", "e=f ", "f:1:3: \"b\": '{' must follow the name of a section\n" },
	{ "a {\n b c\n", "a{ b=c } ", "f:1:1: section \"a\": its closing '}' is missing\n" },
	{ "a { b {", "a{ b{ } } ",
	  "f:1:5: section \"b\": its closing '}' is missing\n"
	  "f:1:1: section \"a\": its closing '}' is missing\n" },
	{ "a b\n}\nc d", "a=b c=d ", "f:2:1: '}': closes no section\n" },
	{ "a {}} b {}", "a{ } b{ } ", "f:1:5: '}': closes no section\n" },
	{ "{ a b }\nc d", "c=d ", "f:1:1: '{': no section name before it\n" },
	{ "a {{ b c } d e }", "a{ d=e } ", "f:1:4: '{': no section name before it\n" },
	{ "a \"b\nc d", "c=d ",
	  "f:1:3: quoted value: the closing '\"' is missing on this line\n" },
	{ "a \"b", "", "f:1:3: quoted value: the closing '\"' is missing on this line\n" },
	{ "a \"b\"c\nd e", "d=e ", "f:1:6: quoted value: a blank must follow it\n" },
	{ "a b\"c\"\nd e", "d=e ",
	  "f:1:4: '\"' within a word: ambiguous\n"
	  "    hint: put the whole value in quotes, a quote in it as \"\"\n" },
	{ "a lab#1.img\nb c", "b=c ",
	  "f:1:6: comment directly after a word: ambiguous\n"
	  "    hint: put a blank before the comment, or the value in quotes\n" },
	{ "a \"b\001c\"", "", "f:1:5: quoted value: holds a control character\n" },
	{ "a b\n\001\002\nc d", "a=b c=d ",
	  "f:2:1: byte 0x01: a control character has no meaning here\n" },
	{ "a b\0\0\nc d", "a=b c=d ",
	  "f:1:4: byte 0x00: a control character has no meaning here\n", 9 },
	{ "a{a{a{a{a{a{a{a{a{a{b c}}}}}}}}}}\nd e",
	  "a{ a{ a{ a{ a{ a{ a{ a{ a{ } } } } } } } } } d=e ",
	  "f:1:18: '{': sections nest at most 8 deep\n" },
};

START_TEST(test_bad)
{
	run_row(&bad_rows[_i]);
}
END_TEST

/* 100,000 braces: neither recursion nor the list of messages grows. */
START_TEST(test_deep)
{
	size_t len = 200000;
	_cleanup_free_ char *text = malloc(len), *messages = NULL, *tree = NULL;

	for (size_t i = 0; i < len; i += 2)
		memcpy(text + i, "a{", 2);
	tree = parse(text, len, &messages);
	ck_assert_ptr_nonnull(strstr(messages, "nest at most 8 deep"));
	ck_assert_int_lt(strlen(messages), 1000);
}
END_TEST

/* A word of exactly the longest length passes, one more byte does not. */
START_TEST(test_long_word)
{
	char text[CONF_WORD_MAX + 4] = "a ";
	_cleanup_free_ char *messages = NULL, *tree = NULL, *messages2 = NULL, *tree2 = NULL;

	memset(text + 2, 'x', CONF_WORD_MAX + 1);
	tree = parse(text, CONF_WORD_MAX + 2, &messages);
	ck_assert_uint_eq(strlen(tree), CONF_WORD_MAX + 3);
	ck_assert_str_eq(messages, "");
	tree2 = parse(text, CONF_WORD_MAX + 3, &messages2);
	ck_assert_str_eq(tree2, "");
	ck_assert_str_eq(messages2, "f:1:3: word too long: at most 4096 bytes\n");
}
END_TEST

/* Garbage ends after a fixed number of messages. */
START_TEST(test_error_bound)
{
	size_t len = 1000000;
	_cleanup_free_ char *text = malloc(len), *messages = NULL, *tree = NULL;

	memset(text, '}', len);
	tree = parse(text, len, &messages);
	ck_assert_str_eq(tree, "");
	ck_assert_ptr_nonnull(strstr(messages, "f:1:20: '}': closes no section\n"
					       "too many errors: the rest was not read\n"));
}
END_TEST

START_TEST(test_distance)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} rows[] = {
		{ "", "", 0 },	     { "", "abc", 3 },	   { "abc", "abc", 0 }, { "Abc", "aBC", 0 },
		{ "abc", "acb", 1 }, { "abc", "ab", 1 },   { "abc", "abd", 1 }, { "abc", "xyz", 3 },
		{ "ab", "ba", 1 },   { "abcd", "badc", 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_uint_eq(edit_distance(rows[i].a, rows[i].b), rows[i].distance);
		ck_assert_uint_eq(edit_distance(rows[i].b, rows[i].a), rows[i].distance);
	}
	ck_assert_uint_eq(edit_distance("a", "12345678901234567890123456789012345678901"),
			  UINT_MAX);
}
END_TEST

START_TEST(test_nearest)
{
	struct nearest n = nearest_start("aliass");

	nearest_offer(&n, "wwid");
	ck_assert_ptr_null(n.best);
	nearest_offer(&n, "alias");
	nearest_offer(&n, "alia");
	ck_assert_str_eq(n.best, "alias");
	n = nearest_start("");
	nearest_offer(&n, "wwid");
	ck_assert_ptr_null(n.best);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_parser");
	TCase *tc = tcase_create("parser");

	tcase_add_loop_test(tc, test_good, 0, ARRAY_SIZE(good_rows));
	tcase_add_loop_test(tc, test_bad, 0, ARRAY_SIZE(bad_rows));
	tcase_add_test(tc, test_deep);
	tcase_add_test(tc, test_long_word);
	tcase_add_test(tc, test_error_bound);
	tcase_add_test(tc, test_distance);
	tcase_add_test(tc, test_nearest);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
