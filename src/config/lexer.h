/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lexer.h - words, braces and line ends of the multipath.conf dialect. */
#ifndef CONFIG_LEXER_H
#define CONFIG_LEXER_H

#include <stdbool.h>
#include <stddef.h>

#include "config/message.h"

#define CONF_WORD_MAX 4096u /* bytes of one word */

enum token_kind { TOKEN_WORD, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_NEWLINE, TOKEN_EOF };

struct token {
	enum token_kind kind;
	struct conf_pos pos;
	bool bad;	  /* a word that was already complained about */
	const char *text; /* of a word; the lexer's, valid until the next call */
};

struct lexer {
	const char *at, *end, *line_start;
	struct conf_pos pos; /* file and line of @at */
	struct conf_errors *errs;
	char word[CONF_WORD_MAX + 1];
};

/* @text and @file must outlive the lexer. */
void lexer_init(struct lexer *lx, const char *file, const char *text, size_t len,
		struct conf_errors *errs);

/* The next token.  After TOKEN_EOF: TOKEN_EOF.  Bytes that can stand nowhere
 * become an error and count as blanks. */
struct token lexer_next(struct lexer *lx);

#endif
