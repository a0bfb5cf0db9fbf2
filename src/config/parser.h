/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parser.h - a file as a tree of sections and attributes; what they mean is config.c's. */
#ifndef CONFIG_PARSER_H
#define CONFIG_PARSER_H

#include <stddef.h>
#include <sys/queue.h>

#include "config/message.h"

#define CONF_NEST_MAX 8u /* sections within sections */

struct conf_node {
	STAILQ_ENTRY(conf_node) link;
	struct conf_pos pos; /* of the name */
	char *name;
	char *value; /* NULL: a section */
	struct conf_pos value_pos;
	STAILQ_HEAD(conf_nodes, conf_node) children; /* of a section, in order */
};

/* Append the statements of @text to @top, the caller's to free.  What is wrong
 * goes to @errs, and the rest is still read.  0 or -ENOMEM; @top is valid either
 * way.  @file must outlive the tree. */
int parser_run(const char *file, const char *text, size_t len, struct conf_nodes *top,
	       struct conf_errors *errs);

/* Leaves an empty list. */
void conf_nodes_free(struct conf_nodes *nodes);

#endif
