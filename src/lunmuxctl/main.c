/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - lunmuxctl: from the command line to a verb and its exit status. */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"

/* --- bad usage --- */

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
	const char *near = command_nearest(word);
	char clean[CTL_VERB_BYTES_MAX];

	fprintf(stderr, "lunmuxctl: there is no verb %s\n",
		ctl_clean(clean, sizeof(clean), word));
	if (!near)
		return usage_error(NULL);
	fprintf(stderr, "  hint: did you mean %s?\n", near);
	return EXIT_USAGE;
}

static bool check_usage(const struct command *cmd, const struct options *o,
			unsigned nargs)
{
	if (nargs < cmd->min_args || nargs > cmd->max_args) {
		fprintf(stderr, "lunmuxctl: %s: too %s arguments: it takes %s\n",
			cmd->name, nargs < cmd->min_args ? "few" : "many", cmd->args);
		return false;
	}
	return options_suit(cmd, o);
}

/* --- running --- */

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

bool want_colour(void)
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
	/* What follows has been written line by line. */
	if (!r.streamed || json_array_size(r.errors))
		w->write(&r, stdout, !o->json && want_colour());
	report_clear(&r);
	return finish_output(code);
}

static int run_help(int argc, char **argv)
{
	const struct command *cmd;

	if (argc == 0) {
		command_list(stdout);
		return finish_output(EXIT_OK);
	}
	cmd = command_find(argv[0]);
	if (!cmd)
		return unknown_verb(argv[0]);
	command_help(cmd, stdout);
	return finish_output(EXIT_OK);
}

int main(int argc, char **argv)
{
	struct options o = {.rundir = RUNDIR_DEFAULT, .timeout_ms = TIMEOUT_MS_DEFAULT};
	const struct command *cmd;

	signal(SIGPIPE, SIG_IGN);
	fill_std_fds();
	if (!options_parse(argc, argv, &o))
		return usage_error(NULL);
	argc -= optind;
	argv += optind;
	if (o.version) {
		printf("lunmuxctl %s\n", PACKAGE_VERSION);
		return finish_output(EXIT_OK);
	}
	if (o.help)
		return run_help(argc ? 1 : 0, argv);
	if (argc == 0) {
		fputs("lunmuxctl: which verb?\n", stderr);
		return usage_error(NULL);
	}
	cmd = command_find(argv[0]);
	if (!cmd)
		return unknown_verb(argv[0]);
	if (!check_usage(cmd, &o, (unsigned)argc - 1))
		return usage_error(cmd->name);
	if (!cmd->run)
		return run_help(argc - 1, argv + 1);
	return run_command(cmd, &o, argc - 1, argv + 1);
}
