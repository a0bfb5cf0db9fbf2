/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check_sense_text.c - sense codes in words, where there are any, and within their buffer. */
#include <config.h>

#include "base/units.h"
#include "scsi/sense_text.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
	uint8_t key, asc, ascq;
	const char *key_word, *code_word; /* NULL: nothing is known */
} rows[] = {
	{ 0x2, 0x04, 0x0b, "not ready", "standby state" },
	{ 0x3, 0x11, 0x00, "medium error", "unrecovered read error" },
	{ 0x6, 0x29, 0x00, "unit attention", "power on, reset" },
	{ 0x6, 0x2a, 0x09, "unit attention", "capacity data has changed" },
	{ 0xb, 0x00, 0x00, "aborted command", NULL },
	{ 0x6, 0xff, 0xff, "unit attention", NULL },
	{ 0x0, 0x00, 0x00, NULL, NULL },
	{ 0x17, 0x04, 0x00, NULL, NULL },
};

START_TEST(test_words)
{
	char text[160];

	sense_text(rows[_i].key, rows[_i].asc, rows[_i].ascq, text, sizeof(text));
#ifdef HAVE_SGUTILS
	if (!rows[_i].key_word)
		ck_assert_str_eq(text, "");
	else
		ck_assert_msg(strncasecmp(text, rows[_i].key_word, strlen(rows[_i].key_word)) == 0, "%s", text);
	if (rows[_i].code_word)
		ck_assert_msg(strcasestr(text, rows[_i].code_word) != NULL, "%s", text);
	else
		ck_assert_ptr_null(strchr(text, ','));
#else
	ck_assert_str_eq(text, "");
#endif
}
END_TEST

/* All there are, and no byte beyond the end. */
START_TEST(test_any_code_any_size)
{
	char text[40];

	for (unsigned code = 0; code < 0x10000; code++) {
		size_t size = 1 + code % 32;

		memset(text, '#', sizeof(text));
		sense_text(code % 17, (uint8_t)(code >> 8), (uint8_t)code, text, size);
		ck_assert_ptr_nonnull(memchr(text, '\0', size));
		ck_assert_int_eq(text[size], '#');
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sense_text");
	TCase *tc = tcase_create("sense_text");

	tcase_add_loop_test(tc, test_words, 0, ARRAY_SIZE(rows));
	tcase_add_test(tc, test_any_code_any_size);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
