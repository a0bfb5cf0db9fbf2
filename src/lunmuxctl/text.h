/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.h - pieces of the text writer: members as words, units for people, tables,
 * colour. */
#ifndef LUNMUXCTL_TEXT_H
#define LUNMUXCTL_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/limits.h"

/* The longest that we show whole is a path's name. */
#define CELL_BYTES  (PATH_NAME_BYTES + 8)
#define HUMAN_BYTES 24

enum tone { TONE_PLAIN, TONE_GOOD, TONE_WARN, TONE_BAD, TONE_BOLD };

/* --- members of a result; a missing one reads as "", 0, false --- */
/* Into @buf, printable; returns @buf. */
char *get_str(const json_t *obj, const char *key, char *buf, size_t size);
uint64_t get_u64(const json_t *obj, const char *key);
int64_t get_int(const json_t *obj, const char *key);
/* Why the path is as it is. */
char *get_cause(const json_t *path, char *buf, size_t size);
bool get_bool(const json_t *obj, const char *key);

/* --- units: "1.0G", "512", "3m12s", "84us"; into @buf of HUMAN_BYTES, returns
 * @buf --- */
char *human_bytes(uint64_t bytes, char *buf);
char *human_count(uint64_t n, char *buf);
char *human_age_ms(uint64_t ms, char *buf);
char *human_ns(uint64_t ns, char *buf);

/* Local time, "2026-11-25 17:52:42.123", into @buf of HUMAN_BYTES + 8. */
char *human_time_ms(uint64_t ms, char *buf);

/* --- colour --- */
/* @text in @tone, padded with blanks to @width columns. */
void put_tone(FILE *f, bool colour, enum tone tone, const char *text, int width);
enum tone tone_of_state(const char *state);

/* --- tables: columns as wide as their widest cell --- */
struct cell {
	char text[CELL_BYTES];
	enum tone tone;
};
struct table {
	unsigned ncols;
	size_t nrows, room;
	struct cell *cells;
	unsigned col; /* of the row being filled in */
};
void table_init(struct table *t, unsigned ncols);
/* The next cell of the current row; a full row starts a new one. */
void table_add(struct table *t, enum tone tone, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Row @row without its end; @indent before it. Blanks at the end are left out. */
void table_print_row(const struct table *t, size_t row, FILE *f, bool colour);
void table_print(const struct table *t, FILE *f, bool colour);
void table_free(struct table *t);

/* --- views: text_status.c, text_stats.c, text_record.c, text_scan.c --- */
struct report;
void text_status(const json_t *lun, FILE *f, bool colour);
void text_event(const json_t *event, FILE *f, bool colour);
void text_events(const json_t *lun, FILE *f, bool colour);
void text_trace(const json_t *lun, FILE *f, bool colour);
void text_scan(const json_t *luns, FILE *f, bool colour);
void text_stats(const json_t *lun, FILE *f, bool colour);

#endif
