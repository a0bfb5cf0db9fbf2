/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.c - gathered answers, and what they make of the exit status. */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <stdlib.h>
#include <string.h>

int exit_of_error(enum ctl_code code)
{
	switch (code) {
	case CTL_E_BAD_ARGUMENT:
	case CTL_E_USAGE:
		return EXIT_USAGE;
	case CTL_E_NO_SUCH_LUN:
	case CTL_E_NO_SUCH_PATH:
		return EXIT_NOT_FOUND;
	case CTL_E_UNREACHABLE:
		return EXIT_UNREACHABLE;
	case CTL_E_DENIED:
		return EXIT_PERMISSION;
	case CTL_E_TIMEOUT:
		return EXIT_TIMEOUT;
	case CTL_E_CONFIG:
		return EXIT_CONFIG;
	case CTL_E_BAD_REQUEST:
	case CTL_E_BAD_VERSION:
	case CTL_E_UNKNOWN_VERB:
	case CTL_E_BUSY:
	case CTL_E_STOPPING:
	case CTL_E_FAILED:
	case CTL_E_NO_MEMORY:
	case CTL_CODE_NR:
		break;
	}
	return EXIT_FAILED;
}

int exit_of_health(const json_t *result)
{
	const char *health = json_string_value(json_object_get(result, "health"));

	if (!health || !strcmp(health, "ok"))
		return EXIT_OK;
	return !strcmp(health, "degraded") ? EXIT_DEGRADED : EXIT_DOWN;
}

static bool is_health(int code)
{
	return code == EXIT_OK || code == EXIT_DEGRADED || code == EXIT_DOWN;
}

int exit_worse(int a, int b)
{
	if (is_health(a) && is_health(b))
		return a > b ? a : b;
	return is_health(a) ? b : a;
}

void report_init(struct report *r, const char *verb, enum view view)
{
	r->verb = verb;
	r->view = view;
	r->luns = must(json_array());
	r->errors = must(json_array());
	r->code = EXIT_OK;
	r->text = NULL;
	r->streamed = false;
}

void report_clear(struct report *r)
{
	json_decref(r->luns);
	json_decref(r->errors);
	free(r->text);
}

static void append(json_t *list, json_t *value)
{
	if (json_array_append_new(list, value) < 0)
		must(NULL);
}

void report_add(struct report *r, json_t *result)
{
	append(r->luns, result);
}

void report_error(struct report *r, const char *name, const struct ctl_error *err)
{
	char clean[NAME_BYTES_MAX + 1];

	if (name)
		name = ctl_clean(clean, sizeof(clean), name);
	append(r->errors, json_pack("{s:s?, s:s, s:s, s:s*}", "name", name, "code",
				    ctl_code_name(err->code), "message", err->message,
				    "hint", err->hint[0] ? err->hint : NULL));
	r->code = exit_worse(r->code, exit_of_error(err->code));
}
