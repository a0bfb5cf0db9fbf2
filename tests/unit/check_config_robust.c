/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_config_robust.c - proves that any bytes give either a configuration
 * whose dump reads back, or messages and nothing; and that every allocation may
 * fail.  Leaks and overruns are the sanitizers' to find.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/prng.h"
#include "base/units.h"
#include "config/config.h"
#include "unit.h"

static const char seed_text[] =
	"# all of it\n"
	"defaults {\n\tpolling_interval 500ms\n\tpath_selector \"service-time 0\"\n"
	"\tfailback 5m\n\tno_path_retry queue\n\tbuffer_memory 64M\n"
	"\texport {\n\t\tmax_connections 4\n\t}\n}\n"
	"blacklist {\n\tdevice {\n\t\tvendor \".*\"\n\t}\n}\n"
	"overrides {\n\tqueue_depth auto\n\tverbosity 3\n}\n"
	"multipaths {\n\tmultipath {\n\t\twwid naa.600a098038303053742b463230313233\n"
	"\t\talias db01\n\t\tpath /dev/sg1\n\t\tpath \"/dev/sg 2\"\n\t\tread_expire 20ms\n"
	"\t\texport {\n\t\t\tnbd_device /dev/nbd3\n\t\t\ttcp [::1]:10809\n"
	"\t\t\tunix /run/x\n\t\t\tname \"a \"\"b\"\"\"\n\t\t}\n\t}\n"
	"\tmultipath {\n\t\twwid file:/srv/lab.img ! comment\r\n\t\tfuse /mnt/x\n\t}\n}\n";

static const char *const pieces[] = {
	"{", "}", "\"", "\"\"", "\n", "\r\n", "#", "!", " ", "\t", "auto", "0", "-1",
	"99999999999999999999", "ms", "\xff", "\x1b", "wwid", "alias db01\n", "export {",
	"multipath {", "queue_depth 8192\n", "path /dev/sg1\n", "file:/", "[::1]",
};

/* 0: a configuration, and its dump is one too. */
static int parse_any(const char *text, size_t len)
{
	struct conf_errors errs = { 0 };
	_cleanup_free_ char *first = NULL;
	struct config *c = NULL, *again = NULL;
	size_t first_len;
	FILE *f;
	int r = config_parse("f", text, len, &c, &errs);

	if (r) {
		ck_assert_int_eq(r, -EINVAL);
		ck_assert_ptr_null(c);
		ck_assert_uint_gt(errs.nerrors, 0);
		ck_assert_uint_le(errs.nmsgs, CONF_ERRORS_MAX + CONF_WARNINGS_MAX);
		conf_errors_clear(&errs);
		return r;
	}
	ck_assert_uint_eq(errs.nerrors, 0);
	f = open_memstream(&first, &first_len);
	ck_assert_int_eq(config_dump(c, f), 0);
	fclose(f);
	ck_assert_int_eq(config_parse("dump", first, first_len, &again, &errs), 0);
	ck_assert_uint_eq(again->nluns, c->nluns);
	for (size_t i = 0; i < c->nluns; i++)
		ck_assert(lun_conf_equal(&c->luns[i], &again->luns[i]));
	config_free(again);
	config_free(c);
	conf_errors_clear(&errs);
	return 0;
}

/* One random edit of @text, in place; @room bytes at most. */
static size_t mutate(struct prng *r, char *text, size_t len, size_t room)
{
	size_t at = prng_below(r, len + 1);
	const char *piece = pieces[prng_below(r, ARRAY_SIZE(pieces))];
	size_t n = strlen(piece), some = prng_below(r, 60);

	switch (prng_below(r, 5)) {
	case 0: /* one byte becomes any other */
		if (at < len)
			text[at] = (char)prng_u64(r);
		return len;
	case 1: /* some bytes go */
		n = MIN(some, len - at);
		memmove(text + at, text + at + n, len - at - n);
		return len - n;
	case 2: /* the rest goes */
		return prng_below(r, 8) ? len : at;
	case 3: /* a piece of it is said twice */
		n = MIN(MIN(some, len - at), room - len);
		memmove(text + at + n, text + at, len - at);
		return len + n;
	default: /* a word that means something */
		if (n > room - len)
			return len;
		memmove(text + at + n, text + at, len - at);
		memcpy(text + at, piece, n);
		return len + n;
	}
}

START_TEST(test_mutations)
{
	char text[4096];
	unsigned good = 0;

	for (unsigned run = 0; run < 4000; run++) {
		size_t len = sizeof(seed_text) - 1;
		struct prng r;

		prng_init(&r, 1, run);
		memcpy(text, seed_text, len);
		for (uint64_t n = prng_below(&r, 6); n; n--)
			len = mutate(&r, text, len, sizeof(text));
		good += !parse_any(text, len);
	}
	ck_assert_uint_gt(good, 400); /* else the edits are too wild to reach far */
	ck_assert_uint_lt(good, 3600);
}
END_TEST

START_TEST(test_random_bytes)
{
	char text[2048];

	for (unsigned run = 0; run < 500; run++) {
		struct prng r;
		size_t len;

		prng_init(&r, 2, run);
		len = prng_below(&r, sizeof(text));
		for (size_t i = 0; i < len; i++)
			text[i] = (char)prng_u64(&r);
		parse_any(text, len);
	}
}
END_TEST

/* Cut at each byte; the bytes behind the end may not be looked at. */
START_TEST(test_truncations)
{
	for (size_t len = 0; len < sizeof(seed_text); len++) {
		_cleanup_free_ char *text = malloc(len ? len : 1);

		memcpy(text, seed_text, len);
		parse_any(text, len);
	}
}
END_TEST

/* Fail the k-th allocation, for k = 1, 2, ... until a run passes untouched. */
static unsigned fail_each(const char *text, int untouched)
{
	for (unsigned k = 1;; k++) {
		struct conf_errors errs = { 0 };
		struct config *c = NULL;
		int r;

		fault_arm(FAULT_ALLOC, k, 1);
		r = config_parse("f", text, strlen(text), &c, &errs);
		fault_disarm_all();
		ck_assert_int_eq(r == 0, c != NULL);
		config_free(c);
		conf_errors_clear(&errs);
		if (fault_count(FAULT_ALLOC) < k) {
			ck_assert_int_eq(r, untouched);
			return k;
		}
		/* a message that finds no memory is lost, its error is not */
		ck_assert(r == -ENOMEM || r == untouched);
	}
}

START_TEST(test_no_memory)
{
	ck_assert_uint_gt(fail_each(seed_text, 0), 40);
	ck_assert_uint_gt(fail_each("a b\ndefaults {\nfailback x\nelevatr y\n}\n", -EINVAL), 10);
}
END_TEST

/* So many LUNs that what has to be unique among them outgrows its first allocation. */
START_TEST(test_no_memory_for_many)
{
	static char text[20 * 1024];
	size_t len = 0;

	len += snprintf(text + len, sizeof(text) - len, "multipaths {\n");
	for (int i = 0; i < 100; i++)
		len += snprintf(text + len, sizeof(text) - len,
				"multipath {\nwwid naa.5000c50000000%03d\nalias a%d\n}\n", i, i);
	len += snprintf(text + len, sizeof(text) - len, "}\n");
	ck_assert_uint_lt(len, sizeof(text) - 1);
	ck_assert_uint_gt(fail_each(text, 0), 300);
}
END_TEST

START_TEST(test_no_memory_for_files)
{
	for (unsigned k = 1;; k++) {
		struct conf_errors errs = { 0 };
		struct config *c = NULL;
		int r;

		fault_arm(FAULT_ALLOC, k, 1);
		r = config_load_dir("/dev/null", "/dev", &c, &errs);
		fault_disarm_all();
		config_free(c);
		conf_errors_clear(&errs);
		if (fault_count(FAULT_ALLOC) < k) {
			ck_assert_int_eq(r, 0);
			return;
		}
		ck_assert_int_eq(r, -ENOMEM);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_robust");
	TCase *tc = tcase_create("any bytes");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_mutations);
	tcase_add_test(tc, test_random_bytes);
	tcase_add_test(tc, test_truncations);
	tcase_add_test(tc, test_no_memory);
	tcase_add_test(tc, test_no_memory_for_many);
	tcase_add_test(tc, test_no_memory_for_files);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
