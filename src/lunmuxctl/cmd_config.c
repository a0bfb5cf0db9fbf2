/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_config.c - config check, dump, import: configurations as files; no daemon is asked. */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

#define LUNMUX_CONF    "/etc/lunmux.conf"
#define MULTIPATH_CONF "/etc/multipath.conf"

/* All messages go to standard error, or become errors of the report for programs. */
static void put_messages(const struct conf_errors *errs, const char *file, int err,
			 const struct options *o, struct report *r)
{
	struct ctl_error e;

	if (!o->json)
		conf_errors_print(errs, stderr);
	for (size_t i = 0; o->json && i < errs->nmsgs; i++) {
		const struct conf_message *m = &errs->msgs[i];

		if (m->warning)
			continue;
		ctl_fail(&e, CTL_E_CONFIG, "%s", m->text);
		ctl_hint(&e, "%s", m->hint ? m->hint : "");
		report_error(r, NULL, &e);
	}
	if (err < 0 && !errs->nerrors) {
		ctl_fail(&e, CTL_E_CONFIG, "%s: %s", file, strerror(-err));
		report_error(r, NULL, &e);
	}
	if (err < 0)
		r->code = EXIT_CONFIG;
}

static int config_text(const char *what, const char *file, FILE *f, struct conf_errors *errs)
{
	struct config *c = NULL;
	int r;

	if (!strcmp(what, "import"))
		return config_import(file, f, errs);
	r = config_load(file, &c, errs);
	if (r < 0)
		return r;
	if (!strcmp(what, "dump"))
		r = config_dump(c, f);
	else
		fprintf(f, "%s: good, %zu LUN%s\n", file, c->nluns, c->nluns == 1 ? "" : "s");
	config_free(c);
	return r;
}

void cmd_config(const struct command *cmd, const struct options *o, int argc, char **argv,
		struct report *r)
{
	const char *what = argv[0], *file = argv[1];
	struct conf_errors errs = {NULL};
	struct ctl_error err;
	char *text = NULL;
	size_t len;
	FILE *f;
	int e;

	if (strcmp(what, "check") && strcmp(what, "dump") && strcmp(what, "import")) {
		ctl_fail(&err, CTL_E_USAGE, "config: there is no config %s", what);
		ctl_hint(&err, "check, dump or import");
		report_error(r, NULL, &err);
		return;
	}
	if (argc < 2)
		file = strcmp(what, "import") ? LUNMUX_CONF : MULTIPATH_CONF;
	f = must(open_memstream(&text, &len));
	e = config_text(what, file, f, &errs);
	fclose(f);
	put_messages(&errs, file, e, o, r);
	if (e < 0)
		free(text);
	else
		r->text = text;
	conf_errors_clear(&errs);
}
