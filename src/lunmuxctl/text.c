/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.c - see text.h. */
#include "config.h"

#include "lunmuxctl/text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/units.h"
#include "lunmuxctl/cmd.h"

/* --- members ------------------------------------------------------------------- */

char *get_str(const json_t *obj, const char *key, char *buf, size_t size)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return ctl_clean(buf, size, s ? s : "");
}

int64_t get_int(const json_t *obj, const char *key)
{
	return json_integer_value(json_object_get(obj, key));
}

uint64_t get_u64(const json_t *obj, const char *key)
{
	int64_t v = get_int(obj, key);

	return v < 0 ? 0 : (uint64_t)v;
}

bool get_bool(const json_t *obj, const char *key)
{
	return json_is_true(json_object_get(obj, key));
}

char *get_cause(const json_t *path, char *buf, size_t size)
{
	char cause[CELL_BYTES], fault[CELL_BYTES];

	get_str(path, "cause", cause, sizeof(cause));
	if (get_str(path, "inject", fault, sizeof(fault))[0])
		snprintf(buf, size, "TEST FAULT %.80s; %s", fault, cause);
	else
		snprintf(buf, size, "%s%s", get_bool(path, "quarantined") ? "quarantine: " : "",
			 cause);
	return buf;
}

/* --- units ----------------------------------------------------------------------- */

static char *scaled(uint64_t n, unsigned base, const char *units, char *buf)
{
	double v = (double)n;
	size_t i = 0;

	while (v >= base && units[i + 1]) {
		v /= base;
		i++;
	}
	if (i == 0)
		snprintf(buf, HUMAN_BYTES, "%llu", (unsigned long long)n);
	else
		snprintf(buf, HUMAN_BYTES, v < 9.95 ? "%.1f%c" : "%.0f%c", v, units[i]);
	return buf;
}

char *human_bytes(uint64_t bytes, char *buf)
{
	return scaled(bytes, 1024, "BKMGTPE", buf);
}

char *human_count(uint64_t n, char *buf)
{
	if (n < 100000)
		snprintf(buf, HUMAN_BYTES, "%llu", (unsigned long long)n);
	else
		scaled(n, 1000, " kMGTPE", buf);
	return buf;
}

char *human_age_ms(uint64_t ms, char *buf)
{
	unsigned long long s = ms / 1000;

	if (ms < 10000)
		snprintf(buf, HUMAN_BYTES, "%.1fs", (double)ms / 1000);
	else if (s < 60)
		snprintf(buf, HUMAN_BYTES, "%llus", s);
	else if (s < 3600)
		snprintf(buf, HUMAN_BYTES, "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, HUMAN_BYTES, "%lluh%02llum", s / 3600, s / 60 % 60);
	else
		snprintf(buf, HUMAN_BYTES, "%llud%02lluh", s / 86400, s / 3600 % 24);
	return buf;
}

char *human_ns(uint64_t ns, char *buf)
{
	static const char *const unit[] = {"ns", "us", "ms", "s"};
	double v = (double)ns;
	size_t i = 0;

	while (v >= 999.5 && i + 1 < ARRAY_SIZE(unit)) {
		v /= 1000;
		i++;
	}
	snprintf(buf, HUMAN_BYTES, i > 0 && v < 9.95 ? "%.1f%s" : "%.0f%s", v, unit[i]);
	return buf;
}

char *human_time_ms(uint64_t ms, char *buf)
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;
	size_t n = 0;

	if (localtime_r(&t, &tm))
		n = strftime(buf, HUMAN_BYTES, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(buf + n, HUMAN_BYTES + 8 - n, ".%03u", (unsigned)(ms % 1000));
	return buf;
}

/* --- colour -------------------------------------------------------------------------
 */

/* Columns of printable UTF-8, a character being one. */
static int columns(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

void put_tone(FILE *f, bool colour, enum tone tone, const char *text, int width)
{
	static const char *const on[] = {
		[TONE_PLAIN] = "",	  [TONE_GOOD] = "\033[32m",
		[TONE_WARN] = "\033[33m", [TONE_BAD] = "\033[1;31m",
		[TONE_BOLD] = "\033[1m",
	};
	bool paint = colour && tone != TONE_PLAIN;
	int pad = width - columns(text);

	fprintf(f, "%s%s%s", paint ? on[tone] : "", text, paint ? "\033[0m" : "");
	if (pad > 0)
		fprintf(f, "%*s", pad, "");
}

enum tone tone_of_state(const char *state)
{
	static const char *const good[] = {"up", "ok", "active"};
	static const char *const bad[] = {"down",   "dark",	 "failing",
					  "failed", "no-daemon", "gone"};
	static const char *const plain[] = {"standby", "stopped"};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		if (!strcmp(state, good[i]))
			return TONE_GOOD;
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (!strcmp(state, bad[i]))
			return TONE_BAD;
	}
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		if (!strcmp(state, plain[i]))
			return TONE_PLAIN;
	}
	return TONE_WARN;
}

/* --- tables
 * --------------------------------------------------------------------------- */

void table_init(struct table *t, unsigned ncols)
{
	memset(t, 0, sizeof(*t));
	t->ncols = ncols;
}

void table_add(struct table *t, enum tone tone, const char *fmt, ...)
{
	struct cell *c;
	va_list ap;

	if (t->col == 0) {
		if (t->nrows == t->room) {
			t->room = t->room ? t->room * 2 : 8;
			t->cells = must(realloc(t->cells, t->room * t->ncols *
								  sizeof(*t->cells)));
		}
		t->nrows++;
	}
	c = &t->cells[(t->nrows - 1) * t->ncols + t->col];
	t->col = (t->col + 1) % t->ncols;
	c->tone = tone;
	va_start(ap, fmt);
	vsnprintf(c->text, sizeof(c->text), fmt, ap);
	va_end(ap);
}

static int column_width(const struct table *t, unsigned col)
{
	int width = 0;

	for (size_t row = 0; row < t->nrows; row++) {
		int w = columns(t->cells[row * t->ncols + col].text);

		width = MAX(width, w);
	}
	return width;
}

void table_print_row(const struct table *t, size_t row, FILE *f, bool colour)
{
	const struct cell *c = &t->cells[row * t->ncols];
	unsigned last = t->ncols;

	while (last > 0 && !c[last - 1].text[0])
		last--;
	for (unsigned i = 0; i < last; i++) {
		if (i)
			fputc(' ', f);
		put_tone(f, colour, c[i].tone, c[i].text,
			 i + 1 < last ? column_width(t, i) : 0);
	}
}

void table_print(const struct table *t, FILE *f, bool colour)
{
	for (size_t row = 0; row < t->nrows; row++) {
		table_print_row(t, row, f, colour);
		fputc('\n', f);
	}
}

void table_free(struct table *t)
{
	free(t->cells);
}
