/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd.h - lunmuxctl: what its commands share.
 *
 * A command asks one or more daemons, gathers the answers in a report, and
 * leaves how it looks to a writer (text or JSON).
 */
#ifndef LUNMUXCTL_CMD_H
#define LUNMUXCTL_CMD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ctl/proto.h"

enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_DEGRADED = 3,
	EXIT_DOWN = 4,
	EXIT_NOT_FOUND = 5,
	EXIT_UNREACHABLE = 6,
	EXIT_PERMISSION = 7,
	EXIT_TIMEOUT = 8,
	EXIT_CONFIG = 78,
};

#define RUNDIR_DEFAULT	   "/run/lunmux"
#define TIMEOUT_MS_DEFAULT 10000u
#define LUNS_MAX	   4096u /* sockets looked at under one RUNDIR */

/* --- the report --------------------------------------------------------------- */

enum view {
	VIEW_LIST,
	VIEW_STATUS,
	VIEW_PATHS,
	VIEW_STATS,
	VIEW_PATH_CHANGE,
	VIEW_LUN_CHANGE,
	VIEW_GROUP_CHANGE,
	VIEW_DEVICE,
	VIEW_SET,
	VIEW_RELOAD,
	VIEW_UPGRADE,
	VIEW_EVENTS,
	VIEW_FLUSH,
	VIEW_INJECT,
	VIEW_RESIZE,
	VIEW_REMOVED,
	VIEW_TEXT,
	VIEW_CHECK,
	VIEW_SCAN,
	VIEW_TRACE,
	VIEW_WAIT,
	VIEW_PING,
};

struct report {
	const char *verb;
	enum view view;
	json_t *luns;	/* array of results, one a LUN */
	json_t *errors; /* array of {name, code, message, hint} */
	char *text;	/* of a verb that makes its own; malloc'ed */
	bool streamed;	/* results were written as they came */
	int code;	/* enum exit_code */
};

/* The worse of two: an error hides the health of other LUNs, the first error stays. */
int exit_worse(int a, int b);
int exit_of_error(enum ctl_code code);
int exit_of_health(const json_t *result);

void report_init(struct report *r, const char *verb, enum view view);
void report_clear(struct report *r);
/* Takes @result. */
void report_add(struct report *r, json_t *result);
/* @name may be NULL: no LUN's own error. */
void report_error(struct report *r, const char *name, const struct ctl_error *err);

struct writer {
	const char *name;
	/* @f: results; errors of the text writer go to standard error. */
	void (*write)(const struct report *r, FILE *f, bool colour);
};
extern const struct writer text_writer, json_writer;

/* --- commands ------------------------------------------------------------------- */

/* Options that only some verbs take. */
enum opt_bit {
	OPT_BIT_PATHS = 1 << 0,
	OPT_BIT_STATE = 1 << 1,
	OPT_BIT_FOLLOW = 1 << 2,
	OPT_BIT_LINES = 1 << 3,
	OPT_BIT_BATCH = 1 << 4,
	OPT_BIT_INTERVAL = 1 << 5,
	OPT_BIT_LIMITS = 1 << 6,
	OPT_BIT_FORCE = 1 << 7,
};

struct options {
	const char *rundir;
	bool json, help, version, force;
	unsigned given; /* enum opt_bit */
	unsigned timeout_ms;
	bool follow;	   /* events */
	bool batch;	   /* top */
	unsigned interval_ms;	/* top: 0 = not given */
	long warning, critical; /* check: 0 = not given */
	long lines;	   /* events, trace, top: 0 = not given */
	long paths;	   /* wait: 0 = not given */
	const char *state; /* wait: NULL = not given */
};

struct command {
	const char *name;
	const char *args; /* for the usage line */
	const char *summary;
	const char *help; /* further lines, or NULL */
	unsigned min_args, max_args;
	enum view view;
	/* Fills in @r; argv holds argc arguments after the verb. */
	void (*run)(const struct command *cmd, const struct options *o, int argc,
		    char **argv, struct report *r);
	unsigned options; /* enum opt_bit */
};

/* --- commands.c --- */
const struct command *command_find(const char *name);
/* The verb that a typing error may have turned into @word, or NULL. */
const char *command_nearest(const char *word);
/* All verbs; one of them. */
void command_list(FILE *f);
void command_help(const struct command *cmd, FILE *f);

/* --- options.c: false is bad usage, which has been reported --- */
bool options_parse(int argc, char **argv, struct options *o);
bool options_suit(const struct command *cmd, const struct options *o);
/* Those of every verb, and those of @bits. */
void options_help(FILE *f, unsigned bits);

/* --- verbs --- */

void cmd_show(const struct command *cmd, const struct options *o, int argc, char **argv,
	      struct report *r);
void cmd_path(const struct command *cmd, const struct options *o, int argc, char **argv,
	      struct report *r);
void cmd_group(const struct command *cmd, const struct options *o, int argc,
	       char **argv, struct report *r);
void cmd_io(const struct command *cmd, const struct options *o, int argc, char **argv,
	    struct report *r);
void cmd_show_maps(const struct command *cmd, const struct options *o, int argc, char **argv,
		   struct report *r);
void cmd_doctor(const struct command *cmd, const struct options *o, int argc, char **argv,
		struct report *r);
void cmd_bundle(const struct command *cmd, const struct options *o, int argc, char **argv,
		struct report *r);
void cmd_queueing(const struct command *cmd, const struct options *o, int argc,
		  char **argv, struct report *r);
void cmd_fail(const struct command *cmd, const struct options *o, int argc, char **argv,
	      struct report *r);
void cmd_device(const struct command *cmd, const struct options *o, int argc, char **argv,
		struct report *r);
void cmd_upgrade(const struct command *cmd, const struct options *o, int argc, char **argv,
		 struct report *r);
void cmd_inject(const struct command *cmd, const struct options *o, int argc, char **argv,
		struct report *r);
void cmd_set(const struct command *cmd, const struct options *o, int argc, char **argv,
	     struct report *r);
void cmd_record(const struct command *cmd, const struct options *o, int argc, char **argv,
		struct report *r);
void cmd_config(const struct command *cmd, const struct options *o, int argc, char **argv,
		struct report *r);
void cmd_scan(const struct command *cmd, const struct options *o, int argc, char **argv,
	      struct report *r);
void cmd_top(const struct command *cmd, const struct options *o, int argc, char **argv,
	     struct report *r);
void cmd_metrics(const struct command *cmd, const struct options *o, int argc, char **argv,
		 struct report *r);
void cmd_check(const struct command *cmd, const struct options *o, int argc, char **argv,
	       struct report *r);
void cmd_wait(const struct command *cmd, const struct options *o, int argc, char **argv,
	      struct report *r);

/* --- LUNs ---------------------------------------------------------------------------
 */

struct names {
	char (*name)[NAME_BYTES_MAX + 1]; /* sorted */
	size_t n;
};

/* The LUNs with a control socket under @rundir. 0, or -EINVAL with @err. No directory
 * at all is no LUN. */
int names_scan(const char *rundir, struct names *ret, struct ctl_error *err);
void names_free(struct names *ns);
/* The one LUN that there is, into name[NAME_BYTES_MAX + 1]; or -EINVAL with @err. */
int names_only(const char *rundir, char *name, struct ctl_error *err);

/* --- asking
 * ----------------------------------------------------------------------------- */

struct answer {
	bool ok;
	json_t *result;	      /* ok; owned */
	struct ctl_error err; /* !ok */
};

/* Milliseconds of the monotonic clock. */
uint64_t clock_ms(void);
/* Ask daemon @name; always fills in @a. No call lasts longer than until @due_ms. */
void ask(const char *rundir, const char *name, const char *verb, const json_t *args,
	 uint64_t due_ms, struct answer *a);
/* Ask @n of them at the same time: one that hangs does not keep the others' answers. */
void ask_all(const char *rundir, const struct names *ns, size_t first, size_t n,
	     const char *verb, uint64_t due_ms, struct answer *answers);

/* Ask one LUN (argv[0]) or all there are, and give each answer to @take, which takes its result.
 * What keeps the LUNs from being found is reported, no LUN at all too, unless @none_is_ok. */
typedef void take_fn(void *arg, const char *name, struct answer *a);
void ask_each(const struct options *o, int argc, char **argv, const char *verb, bool none_is_ok,
	      take_fn *take, void *arg, struct report *r);
/* The LUN that a verb is about, into name[NAME_BYTES_MAX + 1]: argv[0] if there are @full
 * arguments, else the only one there is. The arguments behind it, or NULL with the error reported. */
char **which_lun(const struct options *o, int argc, char **argv, int full, char *name,
		 struct report *r);

/* Is standard output a terminal that wants it? */
bool want_colour(void);
/* "Out of memory", exit 1, if @p is NULL; else @p. */
void *must(void *p);

#endif
