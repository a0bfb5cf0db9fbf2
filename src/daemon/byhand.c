/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * byhand.c - paths that lunmuxctl adds and takes away, whatever configuration
 * and discovery say: the first stay though no scan finds them, the second stay
 * away though scans do, until add-path or the daemon's end.
 */
#include "daemon/daemon.h"

#include "base/log.h"
#include "core/path.h"
#include "ctl/proto.h"
#include "ctl/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- names that were taken away -------------------------------------------------- */

static struct taken *taken_find(struct daemon *d, const char *name)
{
	struct taken *t;

	TAILQ_FOREACH (t, &d->taken, link)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

bool byhand_is_taken(struct daemon *d, const char *name)
{
	return taken_find(d, name) != NULL;
}

static void taken_forget(struct daemon *d, struct taken *t)
{
	TAILQ_REMOVE(&d->taken, t, link);
	d->ntaken--;
	free(t);
}

static bool taken_note(struct daemon *d, const char *name)
{
	struct taken *t = taken_find(d, name);

	if (t)
		return true;
	if (d->ntaken == PATHS_MAX || !(t = calloc(1, sizeof(*t))))
		return false;
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->since_ns = loop_now_ns(d->loop);
	TAILQ_INSERT_TAIL(&d->taken, t, link);
	d->ntaken++;
	return true;
}

void byhand_json(struct daemon *d, json_t *all)
{
	uint64_t now_ns = loop_now_ns(d->loop);
	struct taken *t;

	TAILQ_FOREACH (t, &d->taken, link)
		json_array_append_new(all, json_pack("{s:s, s:s, s:I}", "name", t->name, "cause",
						     "taken away by del-path; add-path takes it back", "age_ms",
						     (json_int_t)((now_ns - t->since_ns) / NS_PER_MS)));
}

void byhand_init(struct daemon *d)
{
	TAILQ_INIT(&d->taken);
}

void byhand_free(struct daemon *d)
{
	struct taken *t;

	while ((t = TAILQ_FIRST(&d->taken)))
		taken_forget(d, t);
}

/* --- lunmuxctl ------------------------------------------------------------------- */

/* "sg3" is /dev/sg3. False: @err says why it cannot be a name. */
static bool whole_name(const char *word, char *name, size_t size, struct ctl_error *err)
{
	int n = snprintf(name, size, "%s%s", strchr(word, '/') ? "" : "/dev/", word);

	if (name[0] != '/' || !word[0]) {
		ctl_fail(err, CTL_E_BAD_ARGUMENT, "path: %s is not an absolute name", word);
		return false;
	}
	if (n < 0 || (size_t)n >= size) {
		ctl_fail(err, CTL_E_BAD_ARGUMENT, "path: a name of %d bytes is too long", n);
		return false;
	}
	return true;
}

/* The path that has this name, or this very device; NULL if there is none. */
static struct path *find_path(struct daemon *d, const char *name)
{
	char ident[DISCOVER_IDENT_BYTES];
	struct path *p;

	discover_ident(name, ident);
	for (p = lun_next_path(d->lun, NULL); p; p = lun_next_path(d->lun, p))
		if (strcmp(p->name, name) == 0 || strcmp(path_opened_as(d, p), name) == 0 ||
		    (ident[0] && strcmp(d->notes[p->index].ident, ident) == 0))
			return p;
	return NULL;
}

static struct path *add_by_hand(void *arg, const char *word, bool *ret_new, struct ctl_error *err)
{
	char name[PATH_NAME_BYTES], text[400] = "";
	struct daemon *d = arg;
	struct path *p = NULL;
	struct taken *t;
	int r;

	if (!whole_name(word, name, sizeof(name), err))
		return NULL;
	if (d->stopping) {
		ctl_fail(err, CTL_E_STOPPING, "the daemon is ending");
		return NULL;
	}
	p = find_path(d, name);
	*ret_new = !p;
	if (p && p->state == PATH_GONE) {
		ctl_fail(err, CTL_E_BUSY, "%s is still leaving the LUN", p->name);
		ctl_hint(err, "again when its last commands have ended");
		return NULL;
	}
	if (!p) {
		r = paths_open(d, name, discover_kind_of(name), &p, text, sizeof(text));
		if (r < 0) {
			ctl_fail(err, r == -ENOENT ? CTL_E_NO_SUCH_PATH : CTL_E_FAILED, "%s", text);
			return NULL;
		}
	}
	t = taken_find(d, name);
	if (t)
		taken_forget(d, t);
	d->notes[p->index].by_hand = true;
	return p;
}

static bool remove_by_hand(void *arg, struct path *p, struct ctl_error *err)
{
	struct daemon *d = arg;

	if (!taken_note(d, path_opened_as(d, p))) {
		ctl_fail(err, CTL_E_FAILED, "%u paths were taken away already: no room for another name",
			 d->ntaken);
		return false;
	}
	lun_remove_path(d->lun, p, "taken away by the administrator");
	return true;
}

const struct ctl_path_ops byhand_by_ctl = {
	.add = add_by_hand,
	.remove = remove_by_hand,
};
