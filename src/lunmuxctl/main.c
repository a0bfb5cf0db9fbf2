/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - lunmuxctl: options, verbs, help. The manual page lunmuxctl(8) says the same.
 */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"

static const struct command commands[] = {
	{"list", "[NAME]", "one line a LUN", NULL, 0, 1, VIEW_LIST, cmd_show},
	{"status", "[NAME]", "state, queue, groups and paths", NULL, 0, 1, VIEW_STATUS,
	 cmd_show},
	{"paths", "[NAME]", "one line a path", NULL, 0, 1, VIEW_PATHS, cmd_show},
	{"stats", "[NAME]", "counters and latencies", NULL, 0, 1, VIEW_STATS, cmd_show},
	{"fail-path", "[NAME] PATH", "take a path out of use",
	 "PATH is /dev/sg3, sg3, or its H:C:T:L; /dev/loop4, loop4, or its 7:4. Commands\n"
	 "on it end; it gets no new ones until reinstate-path.\n",
	 1, 2, VIEW_PATH_CHANGE, cmd_path},
	{"reinstate-path", "[NAME] PATH", "take it back, after a check",
	 "PATH is /dev/sg3, sg3, or its H:C:T:L; /dev/loop4, loop4, or its 7:4. It carries\n"
	 "data once its check has passed, which wait --paths waits for.\n",
	 1, 2, VIEW_PATH_CHANGE, cmd_path},
	{"accept-path", "[NAME] PATH", "check a path in quarantine again",
	 "PATH is /dev/sg3, sg3, or its H:C:T:L; /dev/loop4, loop4, or its 7:4. It comes\n"
	 "back if the whole check finds this LUN behind it, else it stays in quarantine.\n",
	 1, 2, VIEW_PATH_CHANGE, cmd_path},
	{"switch-group", "[NAME] GROUP", "let another group of paths carry the I/O",
	 "GROUP is the group's number in status, or one of its paths. It carries the I/O\n"
	 "until it has no usable path, or as failback says.\n",
	 1, 2, VIEW_GROUP_CHANGE, cmd_group},
	{"queueing", "[NAME] on|off|default",
	 "hold requests while no path is usable, or fail them",
	 "Overrides no_path_retry until it is said otherwise, or the daemon restarts:\n"
	 "on holds them without a limit, off fails them, default is what the configuration\n"
	 "says.\n",
	 1, 2, VIEW_LUN_CHANGE, cmd_queueing},
	{"fail", "[NAME] now", "fail the requests that are held for want of a path",
	 "They end with an I/O error, and so do new ones until a path is usable.\n", 1, 2,
	 VIEW_LUN_CHANGE, cmd_fail},
	{"wait", "[NAME] [--paths N] [--state up|down]",
	 "until the LUN is so, or --timeout",
	 "Without --paths and --state it waits for state up. A daemon that does not "
	 "run is\n"
	 "waited for, too.\n",
	 0, 1, VIEW_WAIT, cmd_wait},
	{"set", "[NAME] KEY VALUE", "change a setting until the next restart or reload",
	 "KEY is path_selector (last-used, round-robin, queue-length, service-time,\n"
	 "historical-service-time, numa; selector for short) or queue_depth (a number, or\n"
	 "auto). It takes effect at once, also while I/O runs.\n",
	 2, 3, VIEW_SET, cmd_set},
	{"ping", "[NAME]", "does the daemon answer?", NULL, 0, 1, VIEW_PING, cmd_show},
	{"help", "[VERB]", "this text, or that of a verb", NULL, 0, 1, VIEW_LIST, NULL},
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	}
	return NULL;
}

/* --- help ---------------------------------------------------------------------- */

static void put_options(FILE *f, bool of_wait)
{
	fputs("Options:\n"
	      "  -R, --rundir DIR   where the daemons' sockets are "
	      "(default " RUNDIR_DEFAULT ")\n"
	      "      --json         one JSON object instead of text\n"
	      "      --timeout S    give up after so many seconds (default 10)\n",
	      f);
	if (of_wait)
		fputs("      --paths N      wait: until so many paths are usable\n"
		      "      --state STATE  wait: until the LUN is up, or down\n",
		      f);
	fputs("  -h, --help         this text; after a verb, that of the verb\n"
	      "  -V, --version      print the version\n",
	      f);
}

static void put_help(FILE *f)
{
	fputs("Usage: lunmuxctl [-R DIR] [--json] [--timeout S] VERB [NAME] ...\n"
	      "Show and change what lunmuxd does. NAME may be left out if there is "
	      "only one LUN;\n"
	      "list, status, paths, stats and ping then take all there "
	      "are.\n\nVerbs:\n",
	      f);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(f, "  %s %s\n      %s\n", commands[i].name, commands[i].args,
			commands[i].summary);
	fputc('\n', f);
	put_options(f, true);
	fputs("\nExit status:\n"
	      "  0   ok\n"
	      "  1   failed\n"
	      "  2   usage\n"
	      "  3   degraded: some path does not serve\n"
	      "  4   down: no path serves\n"
	      "  5   no such LUN or path\n"
	      "  6   daemon not reachable\n"
	      "  7   permission denied\n"
	      "  8   timeout\n"
	      "  78  bad configuration\n",
	      f);
}

static void put_command_help(const struct command *cmd, FILE *f)
{
	fprintf(f, "Usage: lunmuxctl [-R DIR] [--json] [--timeout S] %s %s\n%s\n",
		cmd->name, cmd->args, cmd->summary);
	if (cmd->help)
		fprintf(f, "\n%s", cmd->help);
	fputc('\n', f);
	put_options(f, cmd->view == VIEW_WAIT);
}

/* --- bad usage -------------------------------------------------------------------- */

static int usage_error(const char *verb)
{
	if (verb)
		fprintf(stderr, "  hint: \"lunmuxctl %s --help\" shows how\n", verb);
	else
		fputs("  hint: \"lunmuxctl --help\" names all verbs and options\n",
		      stderr);
	return EXIT_USAGE;
}

static int unknown_verb(const char *word)
{
	const char *names[ARRAY_SIZE(commands)], *near;
	char clean[CTL_VERB_BYTES_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		names[i] = commands[i].name;
	fprintf(stderr, "lunmuxctl: there is no verb %s\n",
		ctl_clean(clean, sizeof(clean), word));
	near = ctl_nearest(word, names, ARRAY_SIZE(names));
	if (!near)
		return usage_error(NULL);
	fprintf(stderr, "  hint: did you mean %s?\n", near);
	return EXIT_USAGE;
}

/* --- options ------------------------------------------------------------------------
 */

enum { OPT_JSON = 256, OPT_TIMEOUT, OPT_PATHS, OPT_STATE };

struct parsed {
	struct options o;
	bool help, version;
};

static bool parse_timeout(const char *arg, unsigned *ret_ms)
{
	char *end;
	double s = strtod(arg, &end);

	if (end == arg || *end || !isfinite(s) || s < 0 || s * 1000 > CTL_WAIT_MS_MAX) {
		fprintf(stderr,
			"lunmuxctl: --timeout: not a number of seconds in 0..%u\n",
			CTL_WAIT_MS_MAX / 1000);
		return false;
	}
	*ret_ms = (unsigned)(s * 1000);
	return true;
}

static bool parse_paths(const char *arg, long *ret)
{
	char *end;
	long n = strtol(arg, &end, 10);

	if (end == arg || *end || n < 1 || n > (long)PATHS_MAX) {
		fprintf(stderr, "lunmuxctl: --paths: not a number in 1..%u\n",
			PATHS_MAX);
		return false;
	}
	*ret = n;
	return true;
}

static bool parse_state(const char *arg, const char **ret)
{
	if (strcmp(arg, "up") && strcmp(arg, "down")) {
		fprintf(stderr, "lunmuxctl: --state: up or down\n");
		return false;
	}
	*ret = arg;
	return true;
}

static bool parse_options(int argc, char **argv, struct parsed *p)
{
	static const struct option longs[] = {
		{"rundir", required_argument, NULL, 'R'},
		{"json", no_argument, NULL, OPT_JSON},
		{"timeout", required_argument, NULL, OPT_TIMEOUT},
		{"paths", required_argument, NULL, OPT_PATHS},
		{"state", required_argument, NULL, OPT_STATE},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "R:hV", longs, NULL)) != -1) {
		switch (c) {
		case 'R':
			p->o.rundir = optarg;
			break;
		case OPT_JSON:
			p->o.json = true;
			break;
		case OPT_TIMEOUT:
			if (!parse_timeout(optarg, &p->o.timeout_ms))
				return false;
			break;
		case OPT_PATHS:
			if (!parse_paths(optarg, &p->o.paths))
				return false;
			break;
		case OPT_STATE:
			if (!parse_state(optarg, &p->o.state))
				return false;
			break;
		case 'h':
			p->help = true;
			break;
		case 'V':
			p->version = true;
			break;
		default:
			return false;
		}
	}
	return true;
}

static bool check_usage(const struct command *cmd, const struct options *o,
			unsigned nargs)
{
	if (nargs < cmd->min_args || nargs > cmd->max_args) {
		fprintf(stderr, "lunmuxctl: %s: too %s arguments: it takes %s\n",
			cmd->name, nargs < cmd->min_args ? "few" : "many", cmd->args);
		return false;
	}
	if ((o->paths || o->state) && cmd->view != VIEW_WAIT) {
		fprintf(stderr, "lunmuxctl: %s: --%s is an option of wait\n", cmd->name,
			o->paths ? "paths" : "state");
		return false;
	}
	if (o->paths && o->state && !strcmp(o->state, "down")) {
		fprintf(stderr, "lunmuxctl: wait: --state down has no usable path, so "
				"--paths cannot "
				"be waited for\n");
		return false;
	}
	return true;
}

/* --- running
 * --------------------------------------------------------------------------- */

/* A socket of ours must not become number 1: the results would go to the daemon. */
static void fill_std_fds(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			/* Not writable, so that a closed standard output still is an
			 * error. */
			(void)!open("/dev/null", O_RDONLY);
	}
}

static bool want_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb");
}

/* The reader may have left (head, less): that is its right. Anything else is a failure.
 */
static int finish_output(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (errno == EPIPE)
		return code;
	fprintf(stderr, "lunmuxctl: standard output: %s\n", strerror(errno));
	return EXIT_FAILED;
}

static int run_command(const struct command *cmd, const struct options *o, int argc,
		       char **argv)
{
	const struct writer *w = o->json ? &json_writer : &text_writer;
	struct report r;
	int code;

	report_init(&r, cmd->name, cmd->view);
	cmd->run(cmd, o, argc, argv, &r);
	code = r.code;
	w->write(&r, stdout, !o->json && want_colour());
	report_clear(&r);
	return finish_output(code);
}

static int run_help(int argc, char **argv)
{
	const struct command *cmd;

	if (argc == 0) {
		put_help(stdout);
		return finish_output(EXIT_OK);
	}
	cmd = find_command(argv[0]);
	if (!cmd)
		return unknown_verb(argv[0]);
	put_command_help(cmd, stdout);
	return finish_output(EXIT_OK);
}

int main(int argc, char **argv)
{
	struct parsed p = {
		.o = {.rundir = RUNDIR_DEFAULT, .timeout_ms = TIMEOUT_MS_DEFAULT}};
	const struct command *cmd;

	signal(SIGPIPE, SIG_IGN);
	fill_std_fds();
	if (!parse_options(argc, argv, &p))
		return usage_error(NULL);
	argc -= optind;
	argv += optind;
	if (p.version) {
		printf("lunmuxctl %s\n", PACKAGE_VERSION);
		return finish_output(EXIT_OK);
	}
	if (p.help)
		return run_help(argc ? 1 : 0, argv);
	if (argc == 0) {
		fputs("lunmuxctl: which verb?\n", stderr);
		return usage_error(NULL);
	}
	cmd = find_command(argv[0]);
	if (!cmd)
		return unknown_verb(argv[0]);
	if (!check_usage(cmd, &p.o, (unsigned)argc - 1))
		return usage_error(cmd->name);
	if (!cmd->run)
		return run_help(argc - 1, argv + 1);
	return run_command(cmd, &p.o, argc - 1, argv + 1);
}
