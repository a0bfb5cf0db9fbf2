/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * message.c - the list of what is wrong with a configuration.
 *
 * Bounded: a file of garbage costs a fixed number of kept messages.  What a
 * message shows of a file never holds a byte that a terminal would act on.
 */
#include <config.h>

#include "config/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "config/mem.h"

#define MESSAGE_BYTES_MAX 1024

static struct conf_message *message_find(struct conf_errors *errs, const char *text)
{
	for (size_t i = 0; i < errs->nmsgs; i++)
		if (!strcmp(errs->msgs[i].text, text))
			return &errs->msgs[i];
	return NULL;
}

/* A hint may only go under the message it belongs to: none was kept. */
static void message_lost(struct conf_errors *errs)
{
	errs->hint_to = SIZE_MAX;
}

static void message_keep(struct conf_errors *errs, bool warning, const char *text)
{
	_cleanup_free_ char *copy = conf_strdup(text);
	struct conf_message *msgs;

	if (!copy)
		return;
	msgs = conf_realloc(errs->msgs, (errs->nmsgs + 1) * sizeof(*msgs));
	if (!msgs)
		return;
	errs->msgs = msgs;
	msgs[errs->nmsgs] = (struct conf_message){ warning, take_ptr(copy), NULL };
	errs->hint_to = errs->nmsgs++;
}

__attribute__((format(printf, 4, 0))) static void
message_add(struct conf_errors *errs, bool warning, struct conf_pos pos, const char *fmt,
	    va_list ap)
{
	char text[MESSAGE_BYTES_MAX];
	size_t *count = warning ? &errs->nwarnings : &errs->nerrors;
	size_t max = warning ? CONF_WARNINGS_MAX : CONF_ERRORS_MAX;
	const char *kind = warning ? "warning: " : "";
	int n;

	message_lost(errs);
	if (*count >= max) {
		++*count;
		return;
	}
	if (pos.line)
		n = snprintf(text, sizeof(text), "%s:%u:%u: %s", pos.file, pos.line, pos.col,
			     kind);
	else
		n = snprintf(text, sizeof(text), "%s: %s", pos.file, kind);
	if (n >= 0 && (size_t)n < sizeof(text))
		vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	if (message_find(errs, text))
		return;
	++*count;
	message_keep(errs, warning, text);
}

void conf_error(struct conf_errors *errs, struct conf_pos pos, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message_add(errs, false, pos, fmt, ap);
	va_end(ap);
}

void conf_warn(struct conf_errors *errs, struct conf_pos pos, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message_add(errs, true, pos, fmt, ap);
	va_end(ap);
}

void conf_hint(struct conf_errors *errs, const char *fmt, ...)
{
	char text[MESSAGE_BYTES_MAX];
	struct conf_message *m;
	va_list ap;

	if (errs->hint_to >= errs->nmsgs)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	m = &errs->msgs[errs->hint_to];
	free(m->hint);
	m->hint = conf_strdup(text);
}

bool conf_errors_full(const struct conf_errors *errs)
{
	return errs->nerrors >= CONF_ERRORS_MAX;
}

struct conf_shown conf_show(const char *s)
{
	struct conf_shown shown;
	char *to = shown.s;

	*to++ = '"';
	for (int i = 0; s[i] && i < 60; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c < 0x20 || c >= 0x7f)
			to += sprintf(to, "\\x%02x", c);
		else
			*to++ = (char)c;
	}
	strcpy(to, strlen(s) > 60 ? "...\"" : "\"");
	return shown;
}

struct conf_shown conf_plain(const char *s)
{
	struct conf_shown shown = conf_show(s);
	size_t len = strlen(shown.s);

	memmove(shown.s, shown.s + 1, len - 2);
	shown.s[len - 2] = '\0';
	return shown;
}

struct conf_where conf_where(struct conf_pos pos)
{
	struct conf_where w;

	if (pos.file)
		snprintf(w.s, sizeof(w.s), "%s:%u", pos.file, pos.line);
	else
		snprintf(w.s, sizeof(w.s), "the default");
	return w;
}

void conf_errors_print(const struct conf_errors *errs, FILE *f)
{
	for (size_t i = 0; i < errs->nmsgs; i++) {
		fprintf(f, "%s\n", errs->msgs[i].text);
		if (errs->msgs[i].hint)
			fprintf(f, "    hint: %s\n", errs->msgs[i].hint);
	}
	if (errs->nerrors + errs->nwarnings > errs->nmsgs)
		fprintf(f, "... and %zu more\n", errs->nerrors + errs->nwarnings - errs->nmsgs);
	if (conf_errors_full(errs))
		fprintf(f, "too many errors: the rest was not read\n");
}

void conf_errors_clear(struct conf_errors *errs)
{
	for (size_t i = 0; i < errs->nmsgs; i++) {
		free(errs->msgs[i].text);
		free(errs->msgs[i].hint);
	}
	free(errs->msgs);
	*errs = (struct conf_errors){ 0 };
}
