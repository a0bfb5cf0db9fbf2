/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * import.c - a multipath.conf as a lunmux.conf: what means the same here is
 * carried over, and every line that is not becomes a comment which says why.
 *
 * The result is a good configuration whatever the source holds.
 */
#include <config.h>

#include "config/builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"

struct import {
	FILE *f;
	struct conf_errors *errs;
	unsigned nluns, nkept, nleft;
};

static void put_indent(const struct import *im, unsigned level, const char *mark)
{
	while (level--)
		fputc('\t', im->f);
	fputs(mark, im->f);
}

/* "# name value: why" */
static void put_left(struct import *im, unsigned level, const struct conf_node *n, const char *why)
{
	put_indent(im, level, "# ");
	fprintf(im->f, "%s %s: %s\n", conf_plain(n->name).s, conf_show(n->value ? n->value : "").s,
		why ? why : "means nothing here");
	im->nleft++;
}

static const char *dm_hint(const char *name, bool *ret_known)
{
	for (size_t i = 0; i < dm_words_nr; i++) {
		if (!strcmp(dm_words[i].name, name)) {
			*ret_known = true;
			return dm_words[i].hint;
		}
	}
	*ret_known = false;
	return NULL;
}

/* Our keyword for what multipath.conf calls @name. */
static const struct keyword *import_keyword(const char *name)
{
	return keyword_find(strcmp(name, "rr_min_io_rq") ? name : "rr_min_io");
}

static void import_attribute(struct import *im, const struct conf_node *n, unsigned scope,
			     struct lun_conf *lun, unsigned level)
{
	const struct keyword *kw = import_keyword(n->name);
	struct kw_why why = { .hint = "" };
	char text[520];
	bool known;
	const char *hint;

	if (!kw || !(kw->scopes & scope)) {
		hint = dm_hint(n->name, &known);
		put_left(im, level, n, known || kw ? hint : "not known here");
		return;
	}
	if (kw->type->set(kw, lun, n->value, &why) < 0) {
		snprintf(text, sizeof(text), "%s%s%s", why.why, why.hint[0] ? "; " : "", why.hint);
		put_left(im, level, n, text);
		return;
	}
	put_indent(im, level, "");
	fprintf(im->f, "%-20s ", kw->name);
	print_quoted(im->f, n->value);
	fputs(why.why[0] ? "\t# " : "", im->f);
	fprintf(im->f, "%s\n", why.why);
	im->nkept++;
}

static void import_attributes(struct import *im, const struct conf_node *section, unsigned scope,
			      unsigned level)
{
	/* Values are only looked at; what they allocate goes with it. */
	struct lun_conf scratch = { .npaths = 0 };
	const struct conf_node *n;

	STAILQ_FOREACH (n, &section->children, link) {
		if (n->value)
			import_attribute(im, n, scope, &scratch, level);
		else
			put_left(im, level, n, "a section that is not known here");
	}
	lun_conf_fini(&scratch);
}

/* All of it as comments: the settings of an array, a blacklist. */
static void put_comment(struct import *im, const struct conf_node *section, unsigned level)
{
	const struct conf_node *n;

	fputs("# ", im->f);
	put_indent(im, level, "");
	fprintf(im->f, "%s {\n", conf_plain(section->name).s);
	STAILQ_FOREACH (n, &section->children, link) {
		if (!n->value) {
			put_comment(im, n, level + 1);
			continue;
		}
		fputs("# ", im->f);
		put_indent(im, level + 1, "");
		fprintf(im->f, "%s %s\n", conf_plain(n->name).s, conf_show(n->value).s);
		im->nleft++;
	}
	fputs("# ", im->f);
	put_indent(im, level, "");
	fputs("}\n", im->f);
}

static bool has_wwid(const struct conf_node *section)
{
	const struct conf_node *n;

	STAILQ_FOREACH (n, &section->children, link)
		if (n->value && !strcmp(n->name, "wwid"))
			return true;
	return false;
}

static void import_luns(struct import *im, const struct conf_node *section)
{
	const struct conf_node *n;

	fputs("\nmultipaths {\n", im->f);
	STAILQ_FOREACH (n, &section->children, link) {
		if (n->value) {
			put_left(im, 1, n, "stands in no multipath section");
		} else if (strcmp(n->name, "multipath") || !has_wwid(n)) {
			put_comment(im, n, 1);
		} else {
			fputs("\tmultipath {\n", im->f);
			import_attributes(im, n, KW_MULTIPATH, 2);
			fputs("\t}\n", im->f);
			im->nluns++;
		}
	}
	fputs("}\n", im->f);
}

static void import_section(struct import *im, const struct conf_node *n)
{
	const char *why = "not known here";

	if (n->value) {
		put_left(im, 0, n, "stands in no section");
		return;
	}
	if (!strcmp(n->name, "defaults") || !strcmp(n->name, "overrides")) {
		fprintf(im->f, "\n%s {\n", n->name);
		import_attributes(im, n, KW_DEFAULTS, 1);
		fputs("}\n", im->f);
		return;
	}
	if (!strcmp(n->name, "multipaths")) {
		import_luns(im, n);
		return;
	}
	for (size_t i = 0; i < dm_sections_nr; i++)
		if (!strcmp(dm_sections[i].name, n->name))
			why = dm_sections[i].hint ? dm_sections[i].hint : "means nothing here";
	fprintf(im->f, "\n# %s: %s\n", conf_plain(n->name).s, why);
	put_comment(im, n, 0);
}

int config_import(const char *file, FILE *f, struct conf_errors *errs)
{
	struct import im = { .f = f, .errs = errs };
	struct conf_nodes top = STAILQ_HEAD_INITIALIZER(top);
	const struct conf_node *n;
	size_t errors_before = errs->nerrors;
	int r = config_read_nodes(file, &top, errs);

	if (!r && errs->nerrors > errors_before)
		r = -EINVAL;
	if (!r) {
		fprintf(f, "# From %s. What is behind a # has no counterpart, or is not needed.\n",
			conf_plain(file).s);
		STAILQ_FOREACH (n, &top, link)
			import_section(&im, n);
		if (!im.nluns)
			fputs("\n# No LUN: only listed WWIDs are ever opened. \"lunmuxctl scan\" finds "
			      "them.\n",
			      f);
		fprintf(f, "\n# %u LUNs, %u settings carried over, %u lines left out\n", im.nluns,
			im.nkept, im.nleft);
	}
	conf_nodes_free(&top);
	return r;
}
