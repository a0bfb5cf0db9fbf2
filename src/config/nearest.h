/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nearest.h - the word that was probably meant. */
#ifndef CONFIG_NEAREST_H
#define CONFIG_NEAREST_H

#include <stddef.h>

/* Offer candidates one by one, then look at @best. */
struct nearest {
	const char *word; /* what was written */
	const char *best; /* NULL: nothing is near enough */
	unsigned distance;
};

/* Edits (insert, delete, replace, swap of neighbours; case counts nothing) from
 * @a to @b, or UINT_MAX if one of them is longer than any keyword. */
unsigned edit_distance(const char *a, const char *b);

struct nearest nearest_start(const char *word);
void nearest_offer(struct nearest *n, const char *candidate);

#endif
