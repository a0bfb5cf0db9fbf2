/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message.h - how the parts of the parser add to struct conf_errors. */
#ifndef CONFIG_MESSAGE_H
#define CONFIG_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

/* A place in a file.  @file must outlive the position; NULL: no place at all. */
struct conf_pos {
	const char *file;
	unsigned line, col; /* from 1, in bytes; line 0: the file as a whole */
};

/* Add an error, or a warning, at @pos.  Without memory it is counted only.
 * A message equal to one that is kept is dropped: LUNs share their defaults. */
void conf_error(struct conf_errors *errs, struct conf_pos pos, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void conf_warn(struct conf_errors *errs, struct conf_pos pos, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Put a hint under the message that was added last, if it was kept. */
void conf_hint(struct conf_errors *errs, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* So many errors that reading on helps nobody. */
bool conf_errors_full(const struct conf_errors *errs);

/* @s between double quotes, cut to 60 bytes, anything unprintable as \xNN:
 * for messages that show what a file says. */
struct conf_shown {
	char s[60 * 4 + 8];
};
struct conf_shown conf_show(const char *s);
/* The same without the quotes. */
struct conf_shown conf_plain(const char *s);

/* "FILE:LINE", or "the default" where @pos is no place. */
struct conf_where {
	char s[256];
};
struct conf_where conf_where(struct conf_pos pos);

#endif
