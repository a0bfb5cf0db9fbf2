/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check.c - what is only wrong together: settings that contradict each other,
 * values that two LUNs cannot both have.
 */
#include <config.h>

#include "config/builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/units.h"
#include "config/mem.h"

/* The later of two settings is the one to blame; a built-in default never is. */
static bool comes_after(struct conf_pos a, struct conf_pos b)
{
	if (!a.file || !b.file)
		return a.file != NULL;
	if (a.file != b.file)
		return true; /* the order of files is not known here: either will do */
	return a.line > b.line || (a.line == b.line && a.col > b.col);
}

/* @a and @b contradict each other; @why_a and @why_b say how, from the side of each. */
static void contradiction(struct builder *b, const struct conf_pos *set, const char *a,
			  const char *why_a, const char *other, const char *why_other)
{
	struct conf_pos pos_a = set[keyword_index(keyword_find(a))];
	struct conf_pos pos_other = set[keyword_index(keyword_find(other))];

	if (comes_after(pos_a, pos_other))
		conf_error(b->errs, pos_a, "%s: %s %s (%s)", a, why_a, other,
			   conf_where(pos_other).s);
	else
		conf_error(b->errs, pos_other, "%s: %s %s (%s)", other, why_other, a,
			   conf_where(pos_a).s);
}

static bool polls_backwards(const struct lun_conf *lun)
{
	return lun->max_polling_interval_ns &&
	       lun->max_polling_interval_ns < lun->polling_interval_ns;
}

static bool is_too_deep(const struct lun_conf *lun)
{
	return lun->queue_depth > lun->max_requests;
}

static bool path_is_too_deep(const struct lun_conf *lun)
{
	return lun->queue_depth && lun->path_depth > lun->queue_depth;
}

static bool suspects_too_late(const struct lun_conf *lun)
{
	return lun->suspect_after_ns >= lun->io_timeout_ns;
}

/* What a restart while there is no path would fail, the LUN would have held. */
static bool dies_too_soon(const struct lun_conf *lun)
{
	return lun->export.nbd_dead_timeout_ns && lun->no_path_retry.kind == NO_PATH_RETRY &&
	       lun->export.nbd_dead_timeout_ns <
		       lun->no_path_retry.checks * lun->polling_interval_ns;
}

static const struct {
	bool (*is_so)(const struct lun_conf *lun);
	const char *a, *why_a, *b, *why_b;
} contradictions[] = {
	{ polls_backwards, "max_polling_interval", "shorter than", "polling_interval",
	  "longer than" },
	{ is_too_deep, "queue_depth", "more than", "max_requests", "less than" },
	{ path_is_too_deep, "path_depth", "more than", "queue_depth", "less than" },
	{ suspects_too_late, "suspect_after", "not shorter than", "io_timeout",
	  "not longer than" },
	{ dies_too_soon, "nbd_dead_timeout", "shorter than", "no_path_retry", "longer than" },
};

void check_lun(struct builder *b, const struct lun_conf *lun, const struct conf_pos *set)
{
	for (size_t i = 0; i < ARRAY_SIZE(contradictions); i++)
		if (contradictions[i].is_so(lun))
			contradiction(b, set, contradictions[i].a, contradictions[i].why_a,
				      contradictions[i].b, contradictions[i].why_b);
}

bool check_setting(const struct lun_conf *lun, const char *key, char *buf, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(contradictions); i++) {
		const char *a = contradictions[i].a, *other = contradictions[i].b;

		if (!contradictions[i].is_so(lun))
			continue;
		if (!strcmp(key, other))
			snprintf(buf, size, "%s %s", contradictions[i].why_b, a);
		else
			snprintf(buf, size, "%s%s%s %s", strcmp(key, a) ? a : "",
				 strcmp(key, a) ? " would be " : "", contradictions[i].why_a, other);
		return false;
	}
	return true;
}

/* --- claims --- */

static char *claim_key(const struct keyword *kw, const struct lun_conf *lun)
{
	size_t last = lun->npaths && kw->flags & KW_REPEATS ? lun->npaths - 1 : 0, len;
	char wwid[WWID_BYTES_MAX + 1];
	char *key = NULL;
	FILE *f;

	if (kw->type == &kw_wwid) {
		wwid_common_form(lun->wwid, wwid);
		return conf_strdup(wwid);
	}
	f = open_memstream(&key, &len);
	if (!f)
		return NULL;
	kw->type->print(kw, lun, last, f);
	if (!fclose(f))
		return key;
	free(key);
	return NULL;
}

void check_claim(struct builder *b, const struct keyword *kw, const struct lun_conf *lun,
		 struct conf_pos pos)
{
	_cleanup_free_ char *key = NULL;
	struct claim *claims = b->claims;
	size_t room = b->claims_room;

	if (kw->type == &kw_nbd_device && lun->export.nbd_device.kind != NBD_DEVICE_FIXED)
		return;
	key = claim_key(kw, lun);
	if (key && b->nclaims == room) {
		room = room ? 2 * room : 64;
		claims = conf_realloc(claims, room * sizeof(*claims));
	}
	if (!key || !claims) {
		b->err = -ENOMEM;
		return;
	}
	b->claims = claims;
	b->claims_room = room;
	claims[b->nclaims] = (struct claim){ kw, take_ptr(key), pos, b->nclaims };
	b->nclaims++;
}

static int claim_order(const void *va, const void *vb)
{
	const struct claim *a = va, *b = vb;
	int order;

	if (a->kw != b->kw)
		return a->kw < b->kw ? -1 : 1;
	order = strcmp(a->key, b->key);
	if (order)
		return order;
	return a->nth < b->nth ? -1 : a->nth > b->nth;
}

void check_claims(struct builder *b)
{
	const struct claim *first = b->claims;

	if (!b->nclaims)
		return;
	qsort(b->claims, b->nclaims, sizeof(*b->claims), claim_order);
	for (const struct claim *cl = first + 1; cl < b->claims + b->nclaims; cl++) {
		if (cl->kw != first->kw || strcmp(cl->key, first->key)) {
			first = cl;
			continue;
		}
		conf_error(b->errs, cl->pos, "%s %s: given twice, first at %s:%u:%u",
			   cl->kw->name, conf_show(cl->key).s, first->pos.file, first->pos.line,
			   first->pos.col);
	}
}
