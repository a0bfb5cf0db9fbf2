/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.c - the options of the command line: one row each, read, explained and refused where
 * they mean nothing. */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

#define SHORTS "R:fhn:V"
enum {
	OPT_JSON = 256,
	OPT_TIMEOUT,
	OPT_PATHS,
	OPT_STATE,
	OPT_BATCH,
	OPT_INTERVAL,
	OPT_WARNING,
	OPT_CRITICAL,
	OPT_FORCE,
};

struct option_def {
	const char *name, *arg; /* arg NULL: it has none */
	int key;		/* the letter, or an OPT_ beyond them */
	unsigned bit;		/* enum opt_bit; 0: of every verb */
	const char *help;
};

static const struct option_def defs[] = {
	{"rundir", "DIR", 'R', 0, "where the daemons' sockets are (default " RUNDIR_DEFAULT ")"},
	{"json", NULL, OPT_JSON, 0, "one JSON object instead of text"},
	{"timeout", "S", OPT_TIMEOUT, 0, "give up after so many seconds (default 10)"},
	{"paths", "N", OPT_PATHS, OPT_BIT_PATHS, "wait: until so many paths are usable"},
	{"state", "STATE", OPT_STATE, OPT_BIT_STATE, "wait: until the LUN is up, or down"},
	{"follow", NULL, 'f', OPT_BIT_FOLLOW, "events: go on, print each as it happens"},
	{"lines", "N", 'n', OPT_BIT_LINES, "events, trace: at most the last N; top: so many times"},
	{"batch", NULL, OPT_BATCH, OPT_BIT_BATCH, "top: one table below the other"},
	{"interval", "S", OPT_INTERVAL, OPT_BIT_INTERVAL, "top: seconds from one to the next (2)"},
	{"warning", "N", OPT_WARNING, OPT_BIT_LIMITS, "check: warn below so many usable paths"},
	{"critical", "N", OPT_CRITICAL, OPT_BIT_LIMITS, "check: critical below so many"},
	{"force", NULL, OPT_FORCE, OPT_BIT_FORCE, "detach, del-path: also what is in use, or needed"},
	{"help", NULL, 'h', 0, "this text; after a verb, that of the verb"},
	{"version", NULL, 'V', 0, "print the version"},
};

void options_help(FILE *f, unsigned bits)
{
	fputs("Options:\n", f);
	for (size_t i = 0; i < ARRAY_SIZE(defs); i++) {
		const struct option_def *d = &defs[i];
		char letter[8] = "    ", word[32];

		if (d->bit && !(d->bit & bits))
			continue;
		if (d->key < 256)
			snprintf(letter, sizeof(letter), "-%c, ", d->key);
		snprintf(word, sizeof(word), "%s%s%s", d->name, d->arg ? " " : "", d->arg ? d->arg : "");
		fprintf(f, "  %s--%-14s %s\n", letter, word, d->help);
	}
}

static bool parse_seconds(const char *name, const char *arg, unsigned *ret_ms)
{
	char *end;
	double s = strtod(arg, &end);

	if (end == arg || *end || !isfinite(s) || s < 0 || s * 1000 > CTL_WAIT_MS_MAX) {
		fprintf(stderr, "lunmuxctl: --%s: not a number of seconds in 0..%u\n", name,
			CTL_WAIT_MS_MAX / 1000);
		return false;
	}
	*ret_ms = (unsigned)(s * 1000);
	return true;
}

/* A whole number in @min..@max. */
static bool parse_count(const char *name, const char *arg, long min, long max, long *ret)
{
	char *end;
	long n = strtol(arg, &end, 10);

	if (end == arg || *end || n < min || n > max) {
		fprintf(stderr, "lunmuxctl: --%s: not a number in %ld..%ld\n", name, min, max);
		return false;
	}
	*ret = n;
	return true;
}

static bool parse_state(const char *arg, struct options *o)
{
	if (strcmp(arg, "up") && strcmp(arg, "down")) {
		fprintf(stderr, "lunmuxctl: --state: up or down\n");
		return false;
	}
	o->state = arg;
	return true;
}

static bool take(const struct option_def *d, const char *arg, struct options *o)
{
	o->given |= d->bit;
	switch (d->key) {
	case 'R':
		o->rundir = arg;
		return true;
	case OPT_JSON:
		o->json = true;
		return true;
	case OPT_TIMEOUT:
		return parse_seconds("timeout", arg, &o->timeout_ms);
	case OPT_PATHS:
		return parse_count("paths", arg, 1, PATHS_MAX, &o->paths);
	case OPT_STATE:
		return parse_state(arg, o);
	case 'f':
		o->follow = true;
		return true;
	case 'n':
		return parse_count("lines", arg, 1, 1024, &o->lines);
	case OPT_BATCH:
		o->batch = true;
		return true;
	case OPT_INTERVAL:
		return parse_seconds("interval", arg, &o->interval_ms);
	case OPT_WARNING:
		return parse_count("warning", arg, 1, PATHS_MAX, &o->warning);
	case OPT_CRITICAL:
		return parse_count("critical", arg, 1, PATHS_MAX, &o->critical);
	case OPT_FORCE:
		o->force = true;
		return true;
	case 'h':
		o->help = true;
		return true;
	case 'V':
		o->version = true;
		return true;
	default:
		return false;
	}
}

bool options_parse(int argc, char **argv, struct options *o)
{
	struct option longs[ARRAY_SIZE(defs) + 1] = {{NULL, 0, NULL, 0}};
	int c;

	for (size_t i = 0; i < ARRAY_SIZE(defs); i++)
		longs[i] = (struct option){defs[i].name,
					   defs[i].arg ? required_argument : no_argument, NULL,
					   defs[i].key};
	while ((c = getopt_long(argc, argv, SHORTS, longs, NULL)) != -1) {
		const struct option_def *d = NULL;

		for (size_t i = 0; i < ARRAY_SIZE(defs); i++) {
			if (defs[i].key == c)
				d = &defs[i];
		}
		if (!d || !take(d, optarg, o))
			return false;
	}
	return true;
}

bool options_suit(const struct command *cmd, const struct options *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(defs); i++) {
		if (!(defs[i].bit & o->given & ~cmd->options))
			continue;
		fprintf(stderr, "lunmuxctl: %s takes no --%s: it is an option of %.*s\n", cmd->name,
			defs[i].name, (int)strcspn(defs[i].help, ":"), defs[i].help);
		return false;
	}
	if (o->paths && o->state && !strcmp(o->state, "down")) {
		fprintf(stderr, "lunmuxctl: wait: --state down has no usable path, so --paths "
				"cannot be waited for\n");
		return false;
	}
	return true;
}
