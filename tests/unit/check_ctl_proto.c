/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_ctl_proto.c - the control protocol's codec: what is encoded is decoded
 * to the same, everything else is refused with the right code, no bytes hurt.
 */
#include "config.h"

#include "ctl/proto.h"

#include "base/prng.h"
#include "base/units.h"
#include "unit.h"

#include <errno.h>

static const struct {
	const char *line;
	enum ctl_code code;
	const char *message; /* part of it */
} bad_requests[] = {
	{"", CTL_E_BAD_REQUEST, "not JSON"},
	{"hello", CTL_E_BAD_REQUEST, "not JSON"},
	{"{\"v\":1,\"verb\":\"status\"", CTL_E_BAD_REQUEST, "not JSON"},
	{"{\"v\":1,\"verb\":\"status\"}x", CTL_E_BAD_REQUEST, "not JSON"},
	{"[1]", CTL_E_BAD_REQUEST, "not an object"},
	{"{}", CTL_E_BAD_VERSION, "missing"},
	{"{\"v\":2,\"verb\":\"status\"}", CTL_E_BAD_VERSION, "another version"},
	{"{\"v\":\"1\",\"verb\":\"status\"}", CTL_E_BAD_VERSION, "another version"},
	{"{\"v\":1}", CTL_E_BAD_REQUEST, "\"verb\" is missing"},
	{"{\"v\":1,\"verb\":7}", CTL_E_BAD_REQUEST, "no string"},
	{"{\"v\":1,\"verb\":\"\"}", CTL_E_BAD_REQUEST, "no string"},
	{"{\"v\":1,\"verb\":\"a\",\"verb\":\"b\"}", CTL_E_BAD_REQUEST, "duplicate"},
	{"{\"v\":1,\"verb\":\"\\u0000x\"}", CTL_E_BAD_REQUEST, "not JSON"},
	{"{\"v\":1,\"verb\":\"\xff\"}", CTL_E_BAD_REQUEST, "not JSON"},
	{"{\"v\":1,\"verb\":\"0123456789012345678901234567890123456789\"}",
	 CTL_E_UNKNOWN_VERB, "longer than 31"},
	{"{\"v\":1,\"verb\":\"s\",\"a\":[[[[[[[[[[]]]]]]]]]]}", CTL_E_BAD_REQUEST,
	 "nested"},
	{"{\"v\":1e400,\"verb\":\"s\"}", CTL_E_BAD_REQUEST, "not JSON"},
	{"{\"v\":99999999999999999999,\"verb\":\"s\"}", CTL_E_BAD_REQUEST, "not JSON"},
};

START_TEST(test_bad_request)
{
	struct ctl_request req;
	struct ctl_error err;
	const char *line = bad_requests[_i].line;

	ck_assert_int_eq(ctl_request_decode(line, strlen(line), &req, &err), -EINVAL);
	ck_assert_str_eq(ctl_code_name(err.code), ctl_code_name(bad_requests[_i].code));
	ck_assert_msg(strstr(err.message, bad_requests[_i].message) != NULL,
		      "message is \"%s\"", err.message);
	ck_assert_ptr_null(req.args);
}
END_TEST

START_TEST(test_request_both_ways)
{
	json_t *args = json_pack("{s:s, s:i}", "path", "/dev/sg3", "n", 7);
	struct ctl_request req;
	struct ctl_error err;
	size_t len;
	char *line = ctl_request_encode("fail-path", args, &len);

	ck_assert_ptr_nonnull(line);
	ck_assert_uint_eq(len, strlen(line));
	ck_assert(strchr(line, '\n') == line + len - 1);
	ck_assert_int_eq(ctl_request_decode(line, len - 1, &req, &err), 0);
	ck_assert_str_eq(req.verb, "fail-path");
	ck_assert(json_equal(req.args, args));
	ctl_request_clear(&req);
	ctl_request_clear(&req); /* an empty one is accepted */
	json_decref(args);
	free(line);
}
END_TEST

/* An argument cannot replace the frame's own members. */
START_TEST(test_request_args_keep_off)
{
	json_t *args = json_pack("{s:s, s:i}", "verb", "other", "v", 9);
	struct ctl_request req;
	struct ctl_error err;
	size_t len;
	char *line = ctl_request_encode("ping", args, &len);

	ck_assert_int_eq(ctl_request_decode(line, len - 1, &req, &err), 0);
	ck_assert_str_eq(req.verb, "ping");
	ctl_request_clear(&req);
	json_decref(args);
	free(line);
}
END_TEST

START_TEST(test_request_too_long)
{
	char *big = malloc(CTL_LINE_MAX + 2);
	struct ctl_request req;
	struct ctl_error err;
	json_t *args;
	size_t len;

	memset(big, 'a', CTL_LINE_MAX + 1);
	big[CTL_LINE_MAX + 1] = '\0';
	ck_assert_int_eq(ctl_request_decode(big, CTL_LINE_MAX + 1, &req, &err),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.message, "longer than"));
	args = json_pack("{s:s}", "path", big);
	ck_assert_ptr_null(ctl_request_encode("fail-path", args, &len));
	json_decref(args);
	free(big);
}
END_TEST

START_TEST(test_response_both_ways)
{
	json_t *result = json_pack("{s:[i,i], s:n}", "a", 1, 2, "b");
	struct ctl_response resp;
	struct ctl_error err;
	size_t len;
	char *line = ctl_ok_encode(result, &len);

	ck_assert_int_eq(ctl_response_decode(line, len - 1, &resp, &err), 0);
	ck_assert(resp.ok);
	ck_assert(json_equal(resp.result, result));
	ctl_response_clear(&resp);
	json_decref(result);
	free(line);
}
END_TEST

/* Every code makes the way through the wire, with and without a hint. */
START_TEST(test_error_both_ways)
{
	struct ctl_error err, ignored;
	struct ctl_response resp;
	size_t len;
	char *line;

	ctl_fail(&err, _i, "path %s: gone\n\033[31m", "\xffx");
	ck_assert_str_eq(err.message, "path ?x: gone??[31m");
	if (_i % 2)
		ctl_hint(&err, "try %s", "another");
	line = ctl_error_encode(&err, &len);
	ck_assert_int_eq(strstr(line, "hint") != NULL, _i % 2);
	ck_assert_int_eq(ctl_response_decode(line, len - 1, &resp, &ignored), 0);
	ck_assert(!resp.ok);
	ck_assert_ptr_null(resp.result);
	ck_assert_int_eq(resp.error.code, _i);
	ck_assert_str_eq(resp.error.message, err.message);
	ck_assert_str_eq(resp.error.hint, err.hint);
	free(line);
}
END_TEST

START_TEST(test_bad_response)
{
	static const char *const bad[] = {
		"{\"v\":1}",
		"{\"v\":1,\"ok\":1}",
		"{\"v\":1,\"ok\":true}",
		"{\"v\":1,\"ok\":false}",
		"{\"v\":1,\"ok\":false,\"error\":\"x\"}",
		"{\"v\":1,\"ok\":false,\"error\":{\"code\":1,\"message\":\"m\"}}",
		"{\"v\":1,\"ok\":false,\"error\":{\"code\":\"failed\"}}",
	};
	struct ctl_response resp;
	struct ctl_error err;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_int_eq(
			ctl_response_decode(bad[i], strlen(bad[i]), &resp, &err),
			-EINVAL);
		ck_assert_int_eq(err.code, CTL_E_BAD_REQUEST);
		ck_assert_ptr_null(resp.result);
	}
}
END_TEST

/* A later version may add members and codes. */
START_TEST(test_response_of_tomorrow)
{
	const char *line =
		"{\"v\":1,\"ok\":false,\"new\":[],\"error\":{\"code\":\"new-code\","
		"\"message\":\"m\",\"more\":{}}}";
	struct ctl_response resp;
	struct ctl_error err;

	ck_assert_int_eq(ctl_response_decode(line, strlen(line), &resp, &err), 0);
	ck_assert_int_eq(resp.error.code, CTL_E_FAILED);
}
END_TEST

/* Nesting bombs of every kind end in an error, not on the stack. */
START_TEST(test_nesting_bomb)
{
	static const char *const unit[] = {"[", "{\"a\":", "[{\"a\":["};
	char *line = malloc(CTL_LINE_MAX);
	struct ctl_request req;
	struct ctl_error err;
	size_t len = 0, n = strlen(unit[_i]);

	while (len + n <= CTL_LINE_MAX) {
		memcpy(line + len, unit[_i], n);
		len += n;
	}
	ck_assert_int_eq(ctl_request_decode(line, len, &req, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.message, "nested"));
	free(line);
}
END_TEST

/* Brackets in strings are text, also behind an escaped quote. */
START_TEST(test_brackets_in_strings)
{
	const char *line =
		"{\"v\":1,\"verb\":\"x\",\"a\":\"\\\"[[[[[[[[[[[[[[{{{{{{{{{{{{\"}";
	struct ctl_request req;
	struct ctl_error err;

	ck_assert_int_eq(ctl_request_decode(line, strlen(line), &req, &err), 0);
	ctl_request_clear(&req);
}
END_TEST

/* A good request with random bytes changed: accepted or refused, never hurt. */
START_TEST(test_mutations)
{
	const char good[] =
		"{\"v\":1,\"verb\":\"wait\",\"paths\":4,\"state\":\"up\",\"x\":[1,{}]}";
	struct ctl_request req;
	struct ctl_error err;
	struct prng r;
	unsigned refused = 0;

	prng_init(&r, 1, 0);
	for (int i = 0; i < 20000; i++) {
		char line[sizeof(good)];
		size_t len = sizeof(good) - 1;

		memcpy(line, good, sizeof(good));
		for (unsigned n = 1 + (unsigned)prng_below(&r, 3); n > 0; n--)
			line[prng_below(&r, len)] = (char)prng_u64(&r);
		len -= prng_below(&r, 3) ? 0 : prng_below(&r, len);
		if (ctl_request_decode(line, len, &req, &err) == 0) {
			ck_assert(json_is_object(req.args));
			ctl_request_clear(&req);
		} else {
			ck_assert(err.message[0] != '\0');
			refused++;
		}
	}
	ck_assert_uint_gt(refused, 10000);
}
END_TEST

START_TEST(test_clean)
{
	static const struct {
		const char *in, *out;
	} t[] = {
		{"", ""},
		{"plain", "plain"},
		{"tab\tbell\a", "tab?bell?"},
		{"\303\244\342\202\254\360\237\230\200",
		 "\303\244\342\202\254\360\237\230\200"},
		{"\302\233c1", "??c1"},		     /* CSI of eight-bit terminals */
		{"\342\200\256rtl", "???rtl"},	     /* turns the direction */
		{"\300\257 \355\240\200", "?? ???"}, /* overlong, surrogate */
		{"cut\342\202", "cut??"},
	};
	char buf[64], small[4];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		ck_assert_str_eq(ctl_clean(buf, sizeof(buf), t[i].in), t[i].out);
	/* A character is never cut in half. */
	ck_assert_str_eq(ctl_clean(small, sizeof(small), "ab\303\244"), "ab");
	ck_assert_str_eq(ctl_clean(small, sizeof(small), "abcdef"), "abc");
	ck_assert_str_eq(ctl_clean(small, 1, "abc"), "");
}
END_TEST

START_TEST(test_nearest)
{
	static const char *const words[] = {"status", "stats", "fail-path",
					    "reinstate-path"};
	static const struct {
		const char *word, *nearest;
	} t[] = {
		{"statsu", "status"},
		{"stat", "status"},
		{"fial-path", "fail-path"},
		{"fail", "fail-path"},
		{"xyzzy", NULL},
		{"", NULL},
		{"reinstate_path", "reinstate-path"},
		{"a-word-that-is-longer-than-any-verb-can-be", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		const char *near = ctl_nearest(t[i].word, words, ARRAY_SIZE(words));

		if (t[i].nearest)
			ck_assert_pstr_eq(near, t[i].nearest);
		else
			ck_assert_ptr_null(near);
	}
}
END_TEST

START_TEST(test_names)
{
	char longest[NAME_BYTES_MAX + 2];
	struct sockaddr_un a;

	memset(longest, 'a', sizeof(longest));
	longest[NAME_BYTES_MAX + 1] = '\0';
	ck_assert(!ctl_name_ok(longest));
	longest[NAME_BYTES_MAX] = '\0';
	ck_assert(ctl_name_ok(longest));
	ck_assert(ctl_name_ok("db-01_x.y"));
	ck_assert(!ctl_name_ok(""));
	ck_assert(!ctl_name_ok("."));
	ck_assert(!ctl_name_ok(".."));
	ck_assert(!ctl_name_ok(".hidden"));
	ck_assert(!ctl_name_ok("a/b"));
	ck_assert(!ctl_name_ok("a b"));
	ck_assert_int_eq(ctl_socket_addr("/run/lunmux", "db01", &a), 0);
	ck_assert_str_eq(a.sun_path, "/run/lunmux/db01/ctl.sock");
	ck_assert_int_eq(ctl_socket_addr("/run/lunmux", "../x", &a), -EINVAL);
	ck_assert_int_eq(
		ctl_socket_addr("/a/directory/whose/name/is/so/long/that/it/cannot/be",
				longest, &a),
		-ENAMETOOLONG);
	ck_assert_str_eq(a.sun_path,
			 "/run/lunmux/db01/ctl.sock"); /* untouched by the failure */
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl_proto");
	TCase *tc = tcase_create("proto");

	tcase_add_loop_test(tc, test_bad_request, 0, ARRAY_SIZE(bad_requests));
	tcase_add_test(tc, test_request_both_ways);
	tcase_add_test(tc, test_request_args_keep_off);
	tcase_add_test(tc, test_request_too_long);
	tcase_add_test(tc, test_response_both_ways);
	tcase_add_loop_test(tc, test_error_both_ways, 0, CTL_CODE_NR);
	tcase_add_test(tc, test_bad_response);
	tcase_add_test(tc, test_response_of_tomorrow);
	tcase_add_loop_test(tc, test_nesting_bomb, 0, 3);
	tcase_add_test(tc, test_brackets_in_strings);
	tcase_add_test(tc, test_mutations);
	tcase_add_test(tc, test_clean);
	tcase_add_test(tc, test_nearest);
	tcase_add_test(tc, test_names);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
