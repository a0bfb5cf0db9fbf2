/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dump.c - a configuration as a file that reads back to the same one. */
#include <config.h>

#include "config/builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static void indent(FILE *f, unsigned level)
{
	while (level--)
		fputc('\t', f);
}

void print_quoted(FILE *f, const char *s)
{
	if (*s && !s[strcspn(s, " \t\"#!{}\r\n\v\f")]) {
		fputs(s, f);
		return;
	}
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"')
			fputc('"', f);
		fputc(*s, f);
	}
	fputc('"', f);
}

char *setting_text(const struct keyword *kw, const struct lun_conf *lun, size_t i, int *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	bool there;

	if (!f) {
		*err = -errno;
		return NULL;
	}
	there = kw->type->print(kw, lun, i, f);
	if (fclose(f)) {
		*err = -ENOMEM;
		return NULL;
	}
	return there ? take_ptr(text) : NULL;
}

static int dump_keywords(const struct lun_conf *lun, unsigned scope, unsigned except,
			 unsigned level, FILE *f)
{
	int err = 0;

	for (size_t k = 0; k < KEYWORDS_NR; k++) {
		const struct keyword *kw = &keywords[k];

		if (!(kw->scopes & scope) || kw->scopes & except)
			continue;
		for (size_t i = 0;; i++) {
			_cleanup_free_ char *text = setting_text(kw, lun, i, &err);

			if (!text)
				break;
			indent(f, level);
			fprintf(f, "%-20s ", kw->name);
			print_quoted(f, text);
			fputc('\n', f);
		}
	}
	return err;
}

static int dump_lun(const struct lun_conf *lun, const char *section, bool is_defaults,
		    unsigned level, FILE *f)
{
	unsigned own = is_defaults ? KW_DEFAULTS : KW_MULTIPATH;
	unsigned export = is_defaults ? KW_DEFAULTS_EXPORT : KW_EXPORT;
	int r, r_export;

	indent(f, level);
	fprintf(f, "%s {\n", section);
	r = dump_keywords(lun, own, export, level + 1, f);
	indent(f, level + 1);
	fputs("export {\n", f);
	r_export = dump_keywords(lun, export, 0, level + 2, f);
	indent(f, level + 1);
	fputs("}\n", f);
	indent(f, level);
	fputs("}\n", f);
	return r ? r : r_export;
}

int config_dump(const struct config *c, FILE *f)
{
	int r = dump_lun(&c->defaults, "defaults", true, 0, f);

	if (c->nluns)
		fputs("multipaths {\n", f);
	for (size_t i = 0; i < c->nluns && !r; i++)
		r = dump_lun(&c->luns[i], "multipath", false, 1, f);
	if (c->nluns)
		fputs("}\n", f);
	if (r)
		return r;
	errno = 0;
	if (fflush(f) || ferror(f))
		return errno ? -errno : -EIO;
	return 0;
}
