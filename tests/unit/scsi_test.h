/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scsi_test.h - what the tests of src/scsi share: fixtures in hex, noise, and
 * copies that end exactly where the valid bytes do, so that ASan sees a parser
 * that reads one byte more.
 */
#ifndef UNIT_SCSI_TEST_H
#define UNIT_SCSI_TEST_H

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"

/* Bytes of tests/data/@name: pairs of hex digits; '#' starts a comment. */
static inline size_t hex_load(const char *name, uint8_t *buf, size_t size)
{
	char path[1024];
	size_t n = 0;
	FILE *f;
	int c;

	snprintf(path, sizeof(path), "%s/%s", TEST_DATA_DIR, name);
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "cannot open %s", path);
	while ((c = getc(f)) != EOF) {
		char digits[3] = {0};

		if (c == '#') {
			while (c != EOF && c != '\n')
				c = getc(f);
			continue;
		}
		if (isspace(c))
			continue;
		digits[0] = (char)c;
		digits[1] = (char)getc(f);
		ck_assert_msg(isxdigit(digits[0]) && isxdigit(digits[1]), "%s: not hex",
			      path);
		ck_assert_uint_lt(n, size);
		buf[n++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	fclose(f);
	return n;
}

/* A copy of @n bytes in a heap block of just that size; free() it. */
static inline uint8_t *exact_copy(const uint8_t *buf, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	ck_assert_ptr_nonnull(copy);
	if (n)
		memcpy(copy, buf, n);
	return copy;
}

/* Call @feed with every truncation of @buf, then with @rounds mutations of it. */
typedef void feed_fn(const uint8_t *buf, size_t len);

static inline void torment(const uint8_t *buf, size_t len, unsigned rounds,
			   feed_fn *feed)
{
	struct prng r;
	unsigned i;
	size_t n;

	for (n = 0; n <= len; n++) {
		uint8_t *copy = exact_copy(buf, n);

		feed(copy, n);
		free(copy);
	}
	prng_init(&r, 1, 1);
	for (i = 0; i < rounds; i++) {
		size_t cut = prng_below(&r, len + 1);
		uint64_t flips = prng_below(&r, 8);
		uint8_t *copy = exact_copy(buf, cut);

		while (cut && flips--)
			copy[prng_below(&r, cut)] = (uint8_t)prng_u64(&r);
		feed(copy, cut);
		free(copy);
	}
}

/* Call @feed with @rounds blocks of random bytes, up to @max long. */
static inline void noise(size_t max, unsigned rounds, feed_fn *feed)
{
	struct prng r;

	prng_init(&r, 2, 1);
	while (rounds--) {
		size_t i, n = prng_below(&r, max + 1);
		uint8_t *buf = malloc(n ? n : 1);

		ck_assert_ptr_nonnull(buf);
		for (i = 0; i < n; i++)
			buf[i] = (uint8_t)prng_u64(&r);
		feed(buf, n);
		free(buf);
	}
}

static inline int run_suite(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}

#endif
