/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nearest.c - the word that was probably meant.
 *
 * Edit distance in its "optimal string alignment" form; a candidate counts as
 * near when about a third of the word is wrong at most.  Words beyond 40 bytes
 * are no misspelt keyword, so the table is small and fixed.
 */
#include <config.h>

#include "config/nearest.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "base/units.h"

#define NEAREST_BYTES_MAX 40

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

unsigned edit_distance(const char *a, const char *b)
{
	size_t na = strnlen(a, NEAREST_BYTES_MAX + 1), nb = strnlen(b, NEAREST_BYTES_MAX + 1);
	unsigned d[NEAREST_BYTES_MAX + 1][NEAREST_BYTES_MAX + 1];

	if (na > NEAREST_BYTES_MAX || nb > NEAREST_BYTES_MAX)
		return UINT_MAX;
	for (size_t i = 0; i <= na; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= nb; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		for (size_t j = 1; j <= nb; j++) {
			unsigned best = d[i - 1][j - 1] + !same(a[i - 1], b[j - 1]);

			best = MIN(best, d[i - 1][j] + 1);
			best = MIN(best, d[i][j - 1] + 1);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) &&
			    same(a[i - 2], b[j - 1]))
				best = MIN(best, d[i - 2][j - 2] + 1);
			d[i][j] = best;
		}
	}
	return d[na][nb];
}

struct nearest nearest_start(const char *word)
{
	size_t len = strnlen(word, NEAREST_BYTES_MAX);

	return (struct nearest){ .word = word, .distance = (unsigned)(len + 2) / 3 + 1 };
}

void nearest_offer(struct nearest *n, const char *candidate)
{
	unsigned d = edit_distance(n->word, candidate);

	if (d < n->distance) {
		n->distance = d;
		n->best = candidate;
	}
}
