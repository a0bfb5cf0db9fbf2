/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_check.c - check: one line with performance data, and an exit status, as the
 * Monitoring Plugins guidelines have them: 0 ok, 1 warning, 2 critical, 3 unknown.
 */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "lunmuxctl/text.h"

enum { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN };

struct check {
	const struct options *o;
	struct report *r;
	FILE *text, *perf;
	unsigned n, worst;
};

/* Critical outranks unknown: a LUN that is known to be down is what somebody has to see. */
static unsigned worse(unsigned a, unsigned b)
{
	static const unsigned rank[] = {[CHECK_OK] = 0, [CHECK_WARNING] = 1, [CHECK_UNKNOWN] = 2,
					[CHECK_CRITICAL] = 3};

	return rank[a] > rank[b] ? a : b;
}

static unsigned judge(const struct options *o, const json_t *lun)
{
	uint64_t usable = get_u64(lun, "paths_usable");
	int health = exit_of_health(lun);

	if (health == EXIT_DOWN || usable < (uint64_t)(o->critical ? o->critical : 1))
		return CHECK_CRITICAL;
	if (o->warning)
		return usable < (uint64_t)o->warning ? CHECK_WARNING : CHECK_OK;
	return health == EXIT_DEGRADED ? CHECK_WARNING : CHECK_OK;
}

/* 'label'=value;warning;critical;min;max, where "4:" alerts below 4. */
static void put_perf(struct check *c, const json_t *lun, const char *name)
{
	const json_t *queue = json_object_get(lun, "queue");
	unsigned long long paths = get_u64(lun, "paths");

	fprintf(c->perf, " '%s_paths'=%llu;%lld:;%ld:;0;%llu", name,
		(unsigned long long)get_u64(lun, "paths_usable"),
		c->o->warning ? (long long)c->o->warning : (long long)paths,
		c->o->critical ? c->o->critical : 1, paths);
	fprintf(c->perf, " '%s_inflight'=%llu;;;0;%llu", name,
		(unsigned long long)get_u64(queue, "inflight"),
		(unsigned long long)get_u64(queue, "depth"));
	fprintf(c->perf, " '%s_queued'=%llu;;;0", name, (unsigned long long)get_u64(queue, "queued"));
}

static void check_take(void *arg, const char *name, struct answer *a)
{
	char state[CELL_BYTES], clean[NAME_BYTES_MAX + 1];
	struct check *c = arg;

	fprintf(c->text, "%s%s: ", c->n++ ? ", " : "", ctl_clean(clean, sizeof(clean), name));
	if (a->ok) {
		c->worst = worse(c->worst, judge(c->o, a->result));
		fprintf(c->text, "%s, %llu/%llu paths usable",
			get_str(a->result, "state", state, sizeof(state)),
			(unsigned long long)get_u64(a->result, "paths_usable"),
			(unsigned long long)get_u64(a->result, "paths"));
		put_perf(c, a->result, clean);
		report_add(c->r, a->result);
		return;
	}
	c->worst = worse(c->worst, a->err.code == CTL_E_UNREACHABLE || a->err.code == CTL_E_TIMEOUT
					   ? CHECK_CRITICAL
					   : CHECK_UNKNOWN);
	fputs(a->err.message, c->text);
	report_error(c->r, name, &a->err);
}

void cmd_check(const struct command *cmd, const struct options *o, int argc, char **argv,
	       struct report *r)
{
	static const char *const words[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
	char *text = NULL, *perf = NULL, *line = NULL;
	size_t text_len, perf_len, line_len;
	struct check c = {.o = o, .r = r};
	FILE *f;

	c.text = must(open_memstream(&text, &text_len));
	c.perf = must(open_memstream(&perf, &perf_len));
	ask_each(o, argc, argv, "status", false, check_take, &c, r);
	if (!c.n) { /* none was found */
		const json_t *e = json_array_get(r->errors, 0);
		char message[CELL_BYTES * 2];

		c.worst = CHECK_UNKNOWN;
		fputs(get_str(e, "message", message, sizeof(message)), c.text);
	}
	fclose(c.text);
	fclose(c.perf);
	f = must(open_memstream(&line, &line_len));
	/* A '|' begins the performance data: nothing else may. */
	for (char *p = text; *p; p++)
		*p = *p == '|' || *p == '\n' ? ' ' : *p;
	fprintf(f, "LUNMUX %s - %s%s%s\n", words[c.worst], text, perf[0] ? " |" : "", perf);
	fclose(f);
	free(text);
	free(perf);
	r->text = line;
	r->code = (int)c.worst;
}
