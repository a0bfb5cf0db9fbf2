/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parser.c - a file as a tree of sections and attributes.
 *
 *	statement := WORD WORD end | WORD '{' statement* '}'
 *	end       := NEWLINE | '}' | EOF
 *
 * After an error it goes on at the end of the line, so that one mistake costs
 * one message.  Knows no keyword.  Sections nest by recursion, at most
 * CONF_NEST_MAX deep: whatever is deeper is skipped by counting braces.
 */
#include <config.h>

#include "config/parser.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/lexer.h"
#include "config/mem.h"

struct parser {
	struct lexer lx;
	struct token tok; /* the one being looked at */
	struct conf_errors *errs;
	unsigned depth; /* of sections around tok */
	int err;	/* -ENOMEM ends everything */
};

static void advance(struct parser *ps)
{
	ps->tok = lexer_next(&ps->lx);
}

static bool done(const struct parser *ps)
{
	return ps->err || ps->tok.kind == TOKEN_EOF || conf_errors_full(ps->errs);
}

static void skip_newlines(struct parser *ps)
{
	while (ps->tok.kind == TOKEN_NEWLINE)
		advance(ps);
}

static void node_free(struct conf_node *n)
{
	if (!n)
		return;
	conf_nodes_free(&n->children);
	free(n->name);
	free(n->value);
	free(n);
}

void conf_nodes_free(struct conf_nodes *nodes)
{
	struct conf_node *n;

	while ((n = STAILQ_FIRST(nodes))) {
		STAILQ_REMOVE_HEAD(nodes, link);
		node_free(n);
	}
}

static struct conf_node *node_new(const struct token *word)
{
	struct conf_node *n = conf_calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	STAILQ_INIT(&n->children);
	n->pos = word->pos;
	n->name = conf_strdup(word->text);
	if (n->name)
		return n;
	node_free(n);
	return NULL;
}

/* The section that @tok opens is too deep: go behind its closing brace. */
static void skip_section(struct parser *ps)
{
	unsigned open = 0;

	conf_error(ps->errs, ps->tok.pos, "'{': sections nest at most %u deep", CONF_NEST_MAX);
	do {
		if (ps->tok.kind == TOKEN_OPEN)
			open++;
		else if (ps->tok.kind == TOKEN_CLOSE)
			open--;
		advance(ps);
	} while (open && ps->tok.kind != TOKEN_EOF);
}

static void statements(struct parser *ps, struct conf_nodes *into);

/* @tok is the opening brace. */
static void section(struct parser *ps, struct conf_node *n)
{
	if (ps->depth == CONF_NEST_MAX) {
		skip_section(ps);
		return;
	}
	advance(ps);
	ps->depth++;
	statements(ps, &n->children);
	ps->depth--;
	if (ps->tok.kind == TOKEN_CLOSE) {
		advance(ps);
	} else if (ps->tok.kind == TOKEN_EOF && !ps->err) {
		conf_error(ps->errs, n->pos, "section %s: its closing '}' is missing",
			   conf_show(n->name).s);
	}
}

/* Behind a value, which is @bad already or not, one word more is a mistake. */
static bool extra_words(struct parser *ps, const struct conf_node *n, bool bad)
{
	struct conf_pos pos = ps->tok.pos;

	if (ps->tok.kind != TOKEN_WORD)
		return bad;
	while (ps->tok.kind == TOKEN_WORD) {
		bad = bad || ps->tok.bad;
		advance(ps);
	}
	if (!bad) {
		conf_error(ps->errs, pos, "%s: one value only", conf_show(n->name).s);
		conf_hint(ps->errs, "one attribute a line; a value with blanks goes in quotes");
	}
	return true;
}

/* @tok is the first word behind the name.  False: nothing to keep. */
static bool attribute(struct parser *ps, struct conf_node *n)
{
	bool bad = ps->tok.bad;

	n->value_pos = ps->tok.pos;
	n->value = conf_strdup(ps->tok.text);
	if (!n->value) {
		ps->err = -ENOMEM;
		return false;
	}
	advance(ps);
	bad = extra_words(ps, n, bad);
	if (ps->tok.kind != TOKEN_OPEN)
		return !bad;
	if (!bad)
		conf_error(ps->errs, n->value_pos, "%s: '{' must follow the name of a section",
			   conf_show(n->value).s);
	section(ps, n);
	return false;
}

static bool missing(struct parser *ps, const struct conf_node *n, bool bad)
{
	if (!bad && !ps->err)
		conf_error(ps->errs, n->pos, "%s: a value or '{' must follow",
			   conf_show(n->name).s);
	return false;
}

static struct conf_node *statement(struct parser *ps)
{
	struct conf_node *n = node_new(&ps->tok);
	bool bad = ps->tok.bad, keep = true;

	if (!n) {
		ps->err = -ENOMEM;
		return NULL;
	}
	advance(ps);
	if (ps->tok.kind == TOKEN_WORD) {
		keep = attribute(ps, n);
	} else {
		if (ps->tok.kind == TOKEN_NEWLINE)
			skip_newlines(ps); /* '{' may stand on the next line */
		if (ps->tok.kind == TOKEN_OPEN)
			section(ps, n);
		else
			keep = missing(ps, n, bad);
	}
	if (keep && !bad)
		return n;
	node_free(n);
	return NULL;
}

/* Up to the brace that closes this level, or the end of the file. */
static void statements(struct parser *ps, struct conf_nodes *into)
{
	struct conf_node *n, unnamed = { .name = NULL };

	for (skip_newlines(ps); !done(ps); skip_newlines(ps)) {
		if (ps->tok.kind == TOKEN_WORD) {
			n = statement(ps);
			if (n)
				STAILQ_INSERT_TAIL(into, n, link);
		} else if (ps->tok.kind == TOKEN_OPEN) {
			conf_error(ps->errs, ps->tok.pos, "'{': no section name before it");
			unnamed.pos = ps->tok.pos;
			unnamed.name = (char[]){ "{" };
			STAILQ_INIT(&unnamed.children);
			section(ps, &unnamed);
			conf_nodes_free(&unnamed.children);
		} else if (ps->depth) {
			return;
		} else {
			conf_error(ps->errs, ps->tok.pos, "'}': closes no section");
			advance(ps);
		}
	}
}

int parser_run(const char *file, const char *text, size_t len, struct conf_nodes *top,
	       struct conf_errors *errs)
{
	_cleanup_free_ struct parser *ps = conf_calloc(1, sizeof(*ps));

	if (!ps)
		return -ENOMEM;
	ps->errs = errs;
	lexer_init(&ps->lx, file, text, len, errs);
	advance(ps);
	statements(ps, top);
	return ps->err;
}
