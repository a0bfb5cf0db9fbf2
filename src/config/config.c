/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.c - from a tree of sections to a struct config.
 *
 * First all defaults {}, then all overrides {} on top of them (they differ in
 * multipath.conf, where device settings lie between), then each multipath {},
 * which starts as a copy of the defaults.  Of several sections the later one
 * wins; within one section nothing may be said twice.  The defaults own no
 * memory, so the copy is an assignment.
 */
#include <config.h>

#include "config/builder.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/units.h"
#include "config/mem.h"
#include "config/nearest.h"

/* The section that is being read. */
struct scope {
	enum kw_scope kind;
	struct lun_conf *lun;
	struct conf_pos *set;		    /* where each value in force came from */
	struct conf_pos seen[KEYWORDS_NR]; /* in this section */
	struct conf_pos export_seen;
};

static bool done(const struct builder *b)
{
	return b->err || conf_errors_full(b->errs);
}

/* --- what is not ours --- */

/* Warn once about each.  False: not device-mapper's either. */
static bool dm_only(struct builder *b, const struct conf_node *n, bool section)
{
	const struct dm_word *list = section ? dm_sections : dm_words;
	size_t nr = section ? dm_sections_nr : dm_words_nr;
	bool *seen = section ? b->dm_seen + dm_words_nr : b->dm_seen;

	for (size_t i = 0; i < nr; i++) {
		if (strcmp(n->name, list[i].name))
			continue;
		if (!seen[i]) {
			conf_warn(b->errs, n->pos, "%s: only means something to device-mapper "
				  "multipath, ignored", n->name);
			if (list[i].hint)
				conf_hint(b->errs, "%s", list[i].hint);
		}
		seen[i] = true;
		return true;
	}
	return false;
}

static void unknown_section(struct builder *b, const struct conf_node *n, const char *where,
			    const char *const *known, size_t nr)
{
	struct nearest near = nearest_start(n->name);

	if (keyword_find(n->name)) {
		conf_error(b->errs, n->pos, "%s: takes a value, not a section", n->name);
		return;
	}
	for (size_t i = 0; i < nr; i++)
		nearest_offer(&near, known[i]);
	conf_error(b->errs, n->pos, "%s: unknown section%s", conf_show(n->name).s, where);
	if (near.best)
		conf_hint(b->errs, "did you mean \"%s\"?", near.best);
}

static const char *home_of(const struct keyword *kw)
{
	if (kw->scopes & KW_MULTIPATH)
		return kw->scopes & KW_DEFAULTS ? "defaults or multipath" : "multipath";
	return "export";
}

static void unknown_keyword(struct builder *b, const struct conf_node *n,
			    const struct keyword *kw, enum kw_scope kind)
{
	const char *near = keyword_nearest(n->name, kind);

	if (kw) {
		conf_error(b->errs, n->pos, "%s: not allowed in %s", n->name,
			   kw_scope_name(kind));
		conf_hint(b->errs, "it belongs in %s", home_of(kw));
		return;
	}
	conf_error(b->errs, n->pos, "%s: unknown keyword in %s", conf_show(n->name).s,
		   kw_scope_name(kind));
	if (near)
		conf_hint(b->errs, "did you mean \"%s\"?", near);
}

/* --- attributes --- */

static void set_value(struct builder *b, struct scope *sc, const struct keyword *kw,
		      const struct conf_node *n)
{
	struct kw_why why = { .hint = "" };
	int r = kw->type->set(kw, sc->lun, n->value, &why);

	if (r == -ENOMEM) {
		b->err = r;
	} else if (r) {
		conf_error(b->errs, n->value_pos, "%s %s: %s", kw->name, conf_show(n->value).s,
			   why.why);
		if (*why.hint)
			conf_hint(b->errs, "%s", why.hint);
	} else if (kw->flags & KW_UNIQUE) {
		check_claim(b, kw, sc->lun, n->value_pos);
	} else if (*why.why) {
		conf_warn(b->errs, n->value_pos, "%s %s: %s", kw->name,
			  conf_show(n->value).s, why.why);
	}
}

static void attribute(struct builder *b, struct scope *sc, const struct conf_node *n)
{
	const struct keyword *kw = keyword_find(n->name);
	struct conf_pos *seen;

	if (!kw || !(kw->scopes & sc->kind)) {
		if (kw || !dm_only(b, n, false))
			unknown_keyword(b, n, kw, sc->kind);
		return;
	}
	seen = &sc->seen[keyword_index(kw)];
	if (seen->file && !(kw->flags & KW_REPEATS)) {
		conf_error(b->errs, n->pos, "%s: given twice in this section, first at %s",
			   kw->name, conf_where(*seen).s);
		return;
	}
	*seen = n->pos;
	sc->set[keyword_index(kw)] = n->pos;
	set_value(b, sc, kw, n);
}

static void section_body(struct builder *b, struct scope *sc, const struct conf_node *section);

/* A section within one that has settings: export {}. */
static void inner_section(struct builder *b, struct scope *sc, const struct conf_node *n)
{
	static const char *const known[] = { "export" };
	enum kw_scope outer = sc->kind;

	if (strcmp(n->name, "export") || !(outer & (KW_DEFAULTS | KW_MULTIPATH))) {
		if (!dm_only(b, n, true))
			unknown_section(b, n, "", known, ARRAY_SIZE(known));
		return;
	}
	if (sc->export_seen.file) {
		conf_error(b->errs, n->pos, "export: given twice in this section, first at %s",
			   conf_where(sc->export_seen).s);
		return;
	}
	sc->export_seen = n->pos;
	sc->kind = outer == KW_DEFAULTS ? KW_DEFAULTS_EXPORT : KW_EXPORT;
	section_body(b, sc, n);
	sc->kind = outer;
}

static void section_body(struct builder *b, struct scope *sc, const struct conf_node *section)
{
	const struct conf_node *n;

	STAILQ_FOREACH(n, &section->children, link) {
		if (done(b))
			return;
		if (n->value)
			attribute(b, sc, n);
		else
			inner_section(b, sc, n);
	}
}

/* --- LUNs --- */

void lun_conf_fini(struct lun_conf *lun)
{
	for (size_t i = 0; i < lun->npaths; i++)
		free(lun->paths[i]);
	free(lun->paths);
	free(lun->alias);
	free(lun->wwid);
	free(lun->export.name);
	free(lun->export.unix_path);
	free(lun->export.tcp.host);
	free(lun->export.fuse_path);
}

/* A name from the WWID: what may not stand in a name becomes '_'. */
static char *alias_from_wwid(const char *wwid)
{
	char *alias;

	if (!strncmp(wwid, "file:/", 6))
		wwid += 6;
	wwid += strspn(wwid, "./");
	alias = conf_strdup(*wwid ? wwid : "lun");
	if (!alias)
		return NULL;
	if (strlen(alias) > NAME_BYTES_MAX)
		alias[NAME_BYTES_MAX] = '\0';
	for (char *c = alias; *c; c++) {
		char one[] = { 'x', *c, '\0' };

		if (!config_name_valid(one))
			*c = '_';
	}
	assert(config_name_valid(alias));
	return alias;
}

/* What a LUN has not said and the defaults cannot say. */
static void lun_complete(struct builder *b, struct lun_conf *lun, const struct scope *sc)
{
	const struct keyword *kw = keyword_find("alias");

	if (!lun->max_polling_interval_ns)
		lun->max_polling_interval_ns = MIN(4 * lun->polling_interval_ns, MAX_POLLING_NS);
	if (!lun->wwid)
		return; /* an error was found */
	if (!lun->alias) {
		lun->alias = alias_from_wwid(lun->wwid);
		if (lun->alias && !sc->seen[keyword_index(kw)].file)
			check_claim(b, kw, lun, sc->seen[keyword_index(keyword_find("wwid"))]);
	}
	if (lun->alias && !lun->export.name)
		lun->export.name = conf_strdup(lun->alias);
	if (!lun->alias || !lun->export.name)
		b->err = -ENOMEM;
}

static struct lun_conf *lun_add(struct builder *b)
{
	struct config *c = b->c;
	struct lun_conf *luns = c->luns;

	if ((c->nluns & (c->nluns - 1)) == 0) /* room for the next power of two */
		luns = conf_realloc(luns, (c->nluns ? 2 * c->nluns : 1) * sizeof(*luns));
	if (!luns) {
		b->err = -ENOMEM;
		return NULL;
	}
	c->luns = luns;
	luns[c->nluns] = c->defaults;
	return &luns[c->nluns++];
}

static void multipath(struct builder *b, const struct conf_node *n)
{
	struct conf_pos set[KEYWORDS_NR];
	struct scope sc = { .kind = KW_MULTIPATH, .set = set };

	if (b->c->nluns == CONF_LUNS_MAX) {
		conf_error(b->errs, n->pos, "multipath: more than %u LUNs", CONF_LUNS_MAX);
		return;
	}
	sc.lun = lun_add(b);
	if (!sc.lun)
		return;
	memcpy(set, b->defaults_set, sizeof(set));
	section_body(b, &sc, n);
	if (done(b))
		return;
	if (!sc.seen[keyword_index(keyword_find("wwid"))].file)
		conf_error(b->errs, n->pos, "multipath: no wwid: which LUN is meant?");
	check_lun(b, sc.lun, set);
	lun_complete(b, sc.lun, &sc);
}

static void multipaths(struct builder *b, const struct conf_node *section)
{
	static const char *const known[] = { "multipath" };
	const struct conf_node *n;

	STAILQ_FOREACH(n, &section->children, link) {
		if (done(b))
			return;
		if (n->value) {
			conf_error(b->errs, n->pos, "%s: not allowed in multipaths",
				   conf_show(n->name).s);
			conf_hint(b->errs, "multipaths holds multipath { } sections only");
		} else if (strcmp(n->name, "multipath")) {
			unknown_section(b, n, " in multipaths", known, ARRAY_SIZE(known));
		} else {
			multipath(b, n);
		}
	}
}

/* --- the whole --- */

static void top_attribute(struct builder *b, const struct conf_node *n)
{
	const struct keyword *kw = keyword_find(n->name);

	conf_error(b->errs, n->pos, "%s: stands in no section", conf_show(n->name).s);
	if (kw)
		conf_hint(b->errs, "it belongs in %s", home_of(kw));
}

static void defaults(struct builder *b, const struct conf_node *n)
{
	struct scope sc = { .kind = KW_DEFAULTS, .lun = &b->c->defaults,
			    .set = b->defaults_set };

	section_body(b, &sc, n);
}

/* Three readings of the top level: one thing each, so that the order of the
 * sections in the files does not matter. */
static void read_defaults(struct builder *b, const struct conf_nodes *top, const char *which)
{
	const struct conf_node *n;

	STAILQ_FOREACH(n, top, link)
		if (!done(b) && !n->value && !strcmp(n->name, which))
			defaults(b, n);
}

static void read_rest(struct builder *b, const struct conf_nodes *top)
{
	static const char *const known[] = { "defaults", "overrides", "multipaths", "blacklist",
					     "blacklist_exceptions", "devices" };
	const struct conf_node *n;

	STAILQ_FOREACH(n, top, link) {
		if (done(b))
			return;
		if (n->value)
			top_attribute(b, n);
		else if (!strcmp(n->name, "multipaths"))
			multipaths(b, n);
		else if (!strcmp(n->name, "defaults") || !strcmp(n->name, "overrides"))
			continue;
		else if (!dm_only(b, n, true))
			unknown_section(b, n, "", known, ARRAY_SIZE(known));
	}
}

static void built_in_defaults(struct lun_conf *lun)
{
	struct kw_why why;

	for (size_t i = 0; i < KEYWORDS_NR; i++) {
		const struct keyword *kw = &keywords[i];

		/* Only strings take memory, and no string has a default. */
		if (kw->def && kw->type->set(kw, lun, kw->def, &why))
			assert(!"a built-in default is refused by its own type");
	}
}

static void builder_fini(struct builder *b)
{
	config_free(b->c);
	for (size_t i = 0; i < b->nclaims; i++)
		free(b->claims[i].key);
	free(b->claims);
}

int config_build(const char *file, const struct conf_nodes *top, struct config **ret,
		 struct conf_errors *errs)
{
	struct builder b = { .errs = errs };
	size_t errors_before = errs->nerrors;
	int r = 0;

	b.c = conf_calloc(1, sizeof(*b.c));
	if (b.c)
		b.c->file = conf_strdup(file);
	if (!b.c || !b.c->file) {
		b.err = -ENOMEM;
	} else {
		built_in_defaults(&b.c->defaults);
		read_defaults(&b, top, "defaults");
		read_defaults(&b, top, "overrides");
		check_lun(&b, &b.c->defaults, b.defaults_set);
		read_rest(&b, top);
		if (!done(&b))
			check_claims(&b);
	}
	if (b.err)
		r = b.err;
	else if (errs->nerrors > errors_before)
		r = -EINVAL;
	else
		*ret = take_ptr(b.c);
	builder_fini(&b);
	return r;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->nluns; i++)
		lun_conf_fini(&c->luns[i]);
	free(c->luns);
	lun_conf_fini(&c->defaults);
	free(c->file);
	free(c);
}

const struct lun_conf *config_find(const struct config *c, const char *name)
{
	char wanted[WWID_BYTES_MAX + 1], wwid[WWID_BYTES_MAX + 1];

	for (size_t i = 0; i < c->nluns; i++)
		if (!strcmp(c->luns[i].alias, name))
			return &c->luns[i];
	wwid_common_form(name, wanted);
	for (size_t i = 0; i < c->nluns; i++) {
		wwid_common_form(c->luns[i].wwid, wwid);
		if (!strcmp(wwid, wanted))
			return &c->luns[i];
	}
	return NULL;
}
