/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lexer.c - words, braces and line ends of the multipath.conf dialect.
 *
 * As in multipath.conf(5): '#' and '!' start a comment, double quotes hold a
 * value with blanks, two of them in a quoted value are one, nothing quoted
 * goes over the end of a line.  Where multipath would cut a word silently
 * ("lab#1.img"), this is an error: a path cut short may be another disk.
 * Takes any bytes; every step moves on by at least one.
 */
#include <config.h>

#include "config/lexer.h"

#include <string.h>

void lexer_init(struct lexer *lx, const char *file, const char *text, size_t len,
		struct conf_errors *errs)
{
	lx->at = text;
	lx->end = text + len;
	lx->line_start = text;
	lx->pos = (struct conf_pos){ .file = file, .line = 1 };
	lx->errs = errs;
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		lx->at = lx->line_start = text + 3; /* an editor's byte order mark */
}

static struct conf_pos lexer_pos(const struct lexer *lx)
{
	struct conf_pos pos = lx->pos;

	pos.col = (unsigned)(lx->at - lx->line_start) + 1;
	return pos;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool ends_word(char c)
{
	return is_control(c) || c == ' ' || strchr("{}#!\"", c);
}

static void skip_comment(struct lexer *lx)
{
	const char *nl = memchr(lx->at, '\n', (size_t)(lx->end - lx->at));

	lx->at = nl ? nl : lx->end;
}

/* Blanks, comments, and bytes that can stand nowhere: those are reported once a run. */
static void skip_blanks(struct lexer *lx)
{
	bool reported = false;

	for (; lx->at < lx->end; lx->at++) {
		if (*lx->at == '#' || *lx->at == '!') {
			skip_comment(lx);
			return;
		}
		if (is_blank(*lx->at))
			continue;
		if (*lx->at == '\n' || !is_control(*lx->at))
			return;
		if (!reported)
			conf_error(lx->errs, lexer_pos(lx),
				   "byte 0x%02x: a control character has no meaning here",
				   (unsigned char)*lx->at);
		reported = true;
	}
}

static void word_error(struct lexer *lx, struct token *t, struct conf_pos pos, const char *what)
{
	if (!t->bad)
		conf_error(lx->errs, pos, "%s", what);
	t->bad = true;
}

static void word_add(struct lexer *lx, struct token *t, size_t *len, char c)
{
	if (*len < CONF_WORD_MAX)
		lx->word[(*len)++] = c;
	else
		word_error(lx, t, t->pos, "word too long: at most 4096 bytes");
}

/* @at stands after the opening quote. */
static void quoted_word(struct lexer *lx, struct token *t)
{
	size_t len = 0;

	for (; lx->at < lx->end && *lx->at != '\n'; lx->at++) {
		if (*lx->at == '"') {
			if (lx->at + 1 == lx->end || lx->at[1] != '"') {
				lx->at++;
				lx->word[len] = '\0';
				return;
			}
			lx->at++;
		} else if (*lx->at == '\r' && lx->at + 1 < lx->end && lx->at[1] == '\n') {
			continue;
		} else if (is_control(*lx->at) && *lx->at != '\t') {
			word_error(lx, t, lexer_pos(lx),
				   "quoted value: holds a control character");
			continue;
		}
		word_add(lx, t, &len, *lx->at);
	}
	lx->word[len] = '\0';
	word_error(lx, t, t->pos, "quoted value: the closing '\"' is missing on this line");
}

static void plain_word(struct lexer *lx, struct token *t)
{
	size_t len = 0;

	for (; lx->at < lx->end && !ends_word(*lx->at); lx->at++)
		word_add(lx, t, &len, *lx->at);
	lx->word[len] = '\0';
	if (lx->at == lx->end)
		return;
	if (*lx->at == '#' || *lx->at == '!') {
		word_error(lx, t, lexer_pos(lx), "comment directly after a word: ambiguous");
		conf_hint(lx->errs, "put a blank before the comment, or the value in quotes");
	} else if (*lx->at == '"') {
		word_error(lx, t, lexer_pos(lx), "'\"' within a word: ambiguous");
		conf_hint(lx->errs, "put the whole value in quotes, a quote in it as \"\"");
	}
}

/* @at stands on the first byte of something that is neither blank nor line end. */
static void lexer_word(struct lexer *lx, struct token *t)
{
	t->kind = TOKEN_WORD;
	t->text = lx->word;
	if (*lx->at != '"') {
		plain_word(lx, t);
		return;
	}
	lx->at++;
	quoted_word(lx, t);
	if (lx->at < lx->end && !ends_word(*lx->at)) {
		word_error(lx, t, lexer_pos(lx), "quoted value: a blank must follow it");
		while (lx->at < lx->end && !ends_word(*lx->at))
			lx->at++;
	}
}

struct token lexer_next(struct lexer *lx)
{
	struct token t = { .kind = TOKEN_EOF };

	skip_blanks(lx);
	t.pos = lexer_pos(lx);
	if (lx->at == lx->end)
		return t;
	switch (*lx->at) {
	case '\n':
		t.kind = TOKEN_NEWLINE;
		lx->at++;
		lx->line_start = lx->at;
		lx->pos.line++;
		break;
	case '{':
		t.kind = TOKEN_OPEN;
		lx->at++;
		break;
	case '}':
		t.kind = TOKEN_CLOSE;
		lx->at++;
		break;
	default:
		lexer_word(lx, &t);
	}
	return t;
}
