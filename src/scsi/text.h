/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * text.h - device bytes as text: appending to a buffer of fixed size, with one
 * sticky answer to whether all of it fitted.
 */
#ifndef SCSI_TEXT_H
#define SCSI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *buf; /* NUL-terminated at all times; not ours */
	size_t size, len;
	bool overflow; /* something was left out */
};

static inline void text_init(struct text *t, char *buf, size_t size)
{
	t->buf = buf;
	t->size = size;
	t->len = 0;
	t->overflow = size == 0;
	if (size)
		buf[0] = '\0';
}

static inline void text_char(struct text *t, char c)
{
	if (t->overflow || t->len + 1 >= t->size) {
		t->overflow = true;
		return;
	}
	t->buf[t->len++] = c;
	t->buf[t->len] = '\0';
}

static inline void text_str(struct text *t, const char *s)
{
	while (*s)
		text_char(t, *s++);
}

static inline void text_hex(struct text *t, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (; n > 0; n--, p++) {
		text_char(t, digits[*p >> 4]);
		text_char(t, digits[*p & 15]);
	}
}

/* Printable ASCII as it is but space and backslash; these and the rest as \xNN, so
 * that different bytes never print alike and a printed word has no space. */
static inline void text_escaped(struct text *t, uint8_t c)
{
	if (c > 0x20 && c < 0x7f && c != '\\') {
		text_char(t, (char)c);
		return;
	}
	text_str(t, "\\x");
	text_hex(t, &c, 1);
}

#endif
