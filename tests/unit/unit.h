/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unit.h - what every check_*.c would repeat. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* A test that must end in a failed assert().  It needs a process of its own,
 * so it is left out under CK_FORK=no (a debugger). */
static inline void unit_add_abort(TCase *tc, const TTest *test)
{
	const char *fork_mode = getenv("CK_FORK");

	if (!fork_mode || strcmp(fork_mode, "no") != 0)
		tcase_add_test_raise_signal(tc, test, SIGABRT);
}

/* libcheck notes the place of every assertion that holds by two system calls, to name the last one
 * before a crash; millions of them took most of the time of these tests. An assertion of the code
 * under test names its own place. */
#undef ck_assert_msg
#define ck_assert_msg(expr, ...) \
	((expr) ? (void)0        \
		: _ck_assert_failed(__FILE__, __LINE__, "Assertion '" #expr "' failed", ##__VA_ARGS__))

/* Runs and frees @s; libcheck prints "100%: Checks: N, Failures: 0, Errors: 0".
 * Returns the exit status of the program. */
static inline int unit_main(Suite *s)
{
	const struct rlimit no_core = { 0, 0 };
	SRunner *sr = srunner_create(s);
	int failed;

	setrlimit(RLIMIT_CORE, &no_core); /* the aborts are meant */
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
