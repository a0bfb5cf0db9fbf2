/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check_json_doc.h - doc/json.md as a table, and JSON compared with it. */
#ifndef TESTS_UNIT_CHECK_JSON_DOC_H
#define TESTS_UNIT_CHECK_JSON_DOC_H

#include <ctype.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define ROWS_MAX 512

/* A line of a table, "| `member` | type | meaning |", and its section. */
static struct row {
	char section[32], member[64], type[32];
	bool seen;
} rows[ROWS_MAX];
static size_t nrows;

static void read_doc(void)
{
	const char *srcdir = getenv("srcdir");
	char path[512], line[512], section[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/doc/json.md", srcdir ? srcdir : ".");
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s: cannot be read", path);
	nrows = 0;
	while (fgets(line, sizeof(line), f)) {
		struct row *r = &rows[nrows];

		sscanf(line, "## %31s", section);
		memset(r, 0, sizeof(*r));
		if (sscanf(line, "| `%63[^`]` | %31[^|]|", r->member, r->type) != 2)
			continue;
		strcpy(r->section, section);
		ck_assert_uint_lt(++nrows, ROWS_MAX);
	}
	fclose(f);
	ck_assert_uint_gt(nrows, 200);
}

static bool is_section(const char *type)
{
	return isupper((unsigned char)type[0]) && isupper((unsigned char)type[1]);
}

/* Is @path of type @type in @section? Marks what says so. */
static bool documented(const char *section, const char *path, const char *type)
{
	for (size_t i = 0; i < nrows; i++) {
		struct row *r = &rows[i];
		size_t len = strlen(r->member);
		char word[32];

		if (strcmp(r->section, section))
			continue;
		sscanf(r->type, "%31s", word);
		if (is_section(word)) {
			const char *rest = !strcmp(r->member, "*")			  ? path
					   : !strncmp(path, r->member, len) && path[len] == '.' ? path + len + 1
											  : NULL;

			if (rest && documented(word, rest, type)) {
				r->seen = true;
				return true;
			}
			continue;
		}
		if (len > 2 && !strcmp(r->member + len - 2, ".*")
			    ? strncmp(path, r->member, len - 1) || strchr(path + len - 1, '.')
			    : strcmp(path, r->member) != 0)
			continue;
		r->seen = true;
		return strstr(r->type, type) != NULL;
	}
	return false;
}

static const char *type_of(const json_t *v)
{
	return json_is_string(v)    ? "string"
	       : json_is_integer(v) ? "integer"
	       : json_is_boolean(v) ? "boolean"
	       : json_is_null(v)    ? "null"
				    : "number";
}

static void check_value(const char *section, const char *path, json_t *v)
{
	char inner[256];
	const char *key;
	json_t *x;
	size_t i;

	if (json_is_object(v)) {
		json_object_foreach(v, key, x)
		{
			snprintf(inner, sizeof(inner), "%.100s%s%.100s", path, path[0] ? "." : "", key);
			check_value(section, inner, x);
		}
	} else if (json_is_array(v)) {
		snprintf(inner, sizeof(inner), "%.100s[]", path);
		json_array_foreach(v, i, x) check_value(section, inner, x);
	} else {
		ck_assert_msg(documented(section, path, type_of(v)), "%s: %s of type %s is not in doc/json.md",
			      section, path, type_of(v));
	}
}

/* Every row of @section was seen, optional ones too. */
static void __attribute__((unused)) check_all_seen(const char *section)
{
	for (size_t i = 0; i < nrows; i++)
		ck_assert_msg(rows[i].seen || strcmp(rows[i].section, section),
			      "doc/json.md: %s: %s is nowhere in the output", section,
			      rows[i].member);
}

#endif
