/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - lunmuxd's command line. */
#include "daemon/daemon.h"

#include "base/log.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define EXIT_USAGE 2
#define EXIT_CONFIG 78 /* EX_CONFIG of sysexits.h: the service manager does not try again */

static const char usage_text[] =
	"Usage: lunmuxd [-c FILE] [-R RUNDIR] [-v] NAME\n"
	"       lunmuxd -t [-c FILE] [-v] [--takeover FORMAT] [NAME]\n"
	"Serve the LUN that lunmux.conf calls NAME (its alias or WWID), in the foreground.\n"
	"\n"
	"  -c, --config FILE   configuration (default " CONFIG_FILE ")\n"
	"  -R, --rundir DIR    where sockets and state live (default " RUN_DIR ")\n"
	"  -t, --test          check the configuration, and that it lists NAME, and exit; with -v\n"
	"                      print it in full\n"
	"      --takeover FORMAT  with -t: also, can this lunmuxd go on where one that leaves a\n"
	"                      handover of FORMAT stops? lunmuxctl upgrade has it asked\n"
	"  -v, --verbose       log more (twice: debug)\n"
	"  -h, --help          print this\n"
	"  -V, --version       print the version\n"
	"\n"
	"SIGTERM, SIGINT: drain, flush, exit; a second one: exit at once. SIGHUP: reload.\n";

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' }, { "rundir", required_argument, NULL, 'R' },
	{ "test", no_argument, NULL, 't' },	    { "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },	    { "version", no_argument, NULL, 'V' },
	{ "takeover", required_argument, NULL, 'T' },
	{ NULL, 0, NULL, 0 },
};

static int load(const char *file, struct config **ret)
{
	struct conf_errors errs = { 0 };
	int r = config_load(file, ret, &errs);

	conf_errors_print(&errs, stderr);
	if (r < 0 && !errs.nerrors)
		fprintf(stderr, "lunmuxd: %s: %s\n", file, strerror(-r));
	if (r == -ENOENT)
		fputs("    hint: -c FILE names another one; lunmux.conf(5) has examples\n", stderr);
	conf_errors_clear(&errs);
	return r;
}

static void not_listed(const char *file, const struct config *c, const char *name)
{
	fprintf(stderr, "lunmuxd: %s: no LUN is called %s; it lists:", file, name);
	for (size_t i = 0; i < c->nluns; i++)
		fprintf(stderr, " %s", c->luns[i].alias);
	fprintf(stderr, "%s\n", c->nluns ? "" : " none");
}

/* Formats are few, and all older ones are known. */
static bool test_takeover(const char *format)
{
	char *end;
	unsigned long n = strtoul(format, &end, 10);

	if (*format && !*end && n >= 1 && n <= HANDOVER_FORMAT)
		return true;
	fprintf(stderr, "lunmuxd: a handover of format %s: this lunmuxd %s knows format %u\n", format,
		PACKAGE_VERSION, HANDOVER_FORMAT);
	return false;
}

/* @name may be NULL: any. */
static int test_config(const char *file, bool verbose, const char *name)
{
	struct config *c = NULL;
	int r = load(file, &c);

	if (r < 0)
		return EXIT_CONFIG;
	if (name && !config_find(c, name)) {
		not_listed(file, c, name);
		config_free(c);
		return EXIT_CONFIG;
	}
	if (verbose)
		r = config_dump(c, stdout);
	printf("%s%s: good, %zu LUN%s\n", verbose ? "# " : "", file, c->nluns, c->nluns == 1 ? "" : "s");
	config_free(c);
	return r < 0 || fflush(stdout) ? 1 : 0;
}

static int serve(struct daemon *d, const char *name, int verbose)
{
	struct config *c = NULL;
	enum log_level level;
	int r;

	if (load(d->conf_file, &c) < 0)
		return EXIT_CONFIG;
	d->lc = config_find(c, name);
	if (!d->lc) {
		not_listed(d->conf_file, c, name);
		config_free(c);
		return EXIT_CONFIG;
	}
	level = d->lc->log_level;
	level = (enum log_level)MIN((int)level + verbose, (int)LOG_L_DEBUG);
	log_init("lunmuxd", d->lc->alias, level);
	live_init(&d->live, c, d->lc);
	d->live.verbose = (unsigned)verbose;
	r = daemon_run(d);
	live_free(&d->live);
	return r;
}

int main(int argc, char **argv)
{
	static struct daemon d = { .conf_file = CONFIG_FILE, .rundir = RUN_DIR };
	const char *takeover = NULL;
	bool test = false;
	int c, verbose = 0;

	d.argv = argv;
	while ((c = getopt_long(argc, argv, "c:R:tvhV", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			d.conf_file = optarg;
			break;
		case 'R':
			d.rundir = optarg;
			break;
		case 't':
			test = true;
			break;
		case 'T':
			takeover = optarg;
			break;
		case 'v':
			verbose++;
			break;
		case 'h':
			fputs(usage_text, stdout);
			return fflush(stdout) ? 1 : 0;
		case 'V':
			puts("lunmuxd " PACKAGE_VERSION);
			return fflush(stdout) ? 1 : 0;
		default:
			fputs("lunmuxd: try lunmuxd --help\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (test && optind >= argc - 1)
		return takeover && !test_takeover(takeover) ? 1 : test_config(d.conf_file, verbose > 0, argv[optind]);
	if (takeover || optind != argc - 1) {
		fprintf(stderr, "lunmuxd: %s\nlunmuxd: try lunmuxd --help\n",
			takeover       ? "--takeover goes with -t" :
			optind == argc ? "which LUN? its NAME is missing" :
					 "only one NAME: each LUN has a process of its own");
		return EXIT_USAGE;
	}
	return serve(&d, argv[optind], verbose);
}
