/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_log.c - proves that a message is one clean line, that the log never
 * waits for its sink nor dies of it, and that what is lost is counted.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/units.h"
#include "unit.h"

/* The room that poll() sees may be taken by another writer before we write. */
static bool poll_lies;

/* In place of libc's. */
int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct timespec ts = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };

	if (poll_lies) {
		fds->revents = POLLOUT;
		return 1;
	}
	return (int)syscall(SYS_ppoll, fds, n, timeout_ms < 0 ? NULL : &ts, NULL, 0);
}

/* Standard error is a pipe; reads never wait. */
static int sink;

static void setup(void)
{
	int p[2];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	ck_assert_int_eq(dup2(p[1], STDERR_FILENO), STDERR_FILENO);
	close(p[1]);
	sink = p[0];
	ck_assert_int_eq(fcntl(sink, F_SETFL, O_NONBLOCK), 0);
	unsetenv("JOURNAL_STREAM");
	log_init("lunmuxd", "db01", LOG_L_INFO);
}

static const char *sink_text(void)
{
	static char buf[8192];
	ssize_t n = read(sink, buf, sizeof(buf) - 1);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

START_TEST(test_line)
{
	log_info("path %s is %d", "sg3", 7);
	ck_assert_str_eq(sink_text(), "lunmuxd: db01: path sg3 is 7\n");
	log_init("lunmuxctl", NULL, LOG_L_ERR);
	log_err("no daemon");
	ck_assert_str_eq(sink_text(), "lunmuxctl: no daemon\n");
	ck_assert_uint_eq(log_dropped(), 0);
}
END_TEST

START_TEST(test_levels)
{
	static const enum log_level levels[] = { LOG_L_ERR, LOG_L_WARN, LOG_L_NOTICE, LOG_L_INFO,
						 LOG_L_DEBUG };
	enum log_level level = levels[_i];
	size_t i;

	log_set_level(level);
	ck_assert_int_eq(log_get_level(), level);
	for (i = 0; i < ARRAY_SIZE(levels); i++) {
		log_msg(levels[i], "x");
		ck_assert_str_eq(sink_text(), levels[i] <= level ? "lunmuxd: db01: x\n" : "");
	}
	log_debug("x");
	ck_assert_str_eq(sink_text(), level == LOG_L_DEBUG ? "lunmuxd: db01: x\n" : "");
}
END_TEST

START_TEST(test_journal_prefix)
{
	struct stat st;
	char env[64];

	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(env, sizeof(env), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", env, 1);
	log_init("lunmuxd", "db01", LOG_L_INFO);
	log_warn("slow");
	ck_assert_str_eq(sink_text(), "<4>lunmuxd: db01: slow\n");
	log_info("fine");
	ck_assert_str_eq(sink_text(), "<6>lunmuxd: db01: fine\n");

	/* The journal was our parent's stderr, ours goes elsewhere. */
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_init("lunmuxd", "db01", LOG_L_INFO);
	log_warn("slow");
	ck_assert_str_eq(sink_text(), "lunmuxd: db01: slow\n");
}
END_TEST

/* A peer's bytes cannot start a line or drive a terminal. */
START_TEST(test_control_characters)
{
	log_info("export \"%s\"", "a\n<3>b\r\033[2J\tc\x7f");
	ck_assert_str_eq(sink_text(), "lunmuxd: db01: export \"a?<3>b??[2J c?\"\n");
}
END_TEST

START_TEST(test_long_message)
{
	char text[3000];
	const char *got;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_info("%s", text);
	got = sink_text();
	ck_assert_uint_gt(strlen(got), 900);
	ck_assert_uint_le(strlen(got), 1024);
	ck_assert_ptr_eq(strchr(got, '\n'), got + strlen(got) - 1);
	ck_assert_str_eq(got + strlen(got) - 5, "x...\n");
	ck_assert_str_eq(sink_text(), "");
}
END_TEST

START_TEST(test_long_names)
{
	char name[500];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	log_init(name, name, LOG_L_INFO);
	log_info("text");
	ck_assert_str_eq(strrchr(sink_text(), ' '), " text\n");
}
END_TEST

static void errno_hook(enum log_level level, const char *line, void *arg)
{
	errno = EBADF;
}

START_TEST(test_errno_survives)
{
	log_set_hook(errno_hook, NULL);
	errno = ENOSPC;
	log_info("%m");
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert_str_eq(sink_text(), "lunmuxd: db01: No space left on device\n");
	close(STDERR_FILENO);
	log_init("lunmuxd", "db01", LOG_L_INFO);
	errno = ENOSPC;
	log_info("lost");
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert_uint_eq(log_dropped(), 1);
}
END_TEST

/* The descriptor is a blocking one: a log that waits hangs here until the timeout. */
START_TEST(test_full_sink)
{
	uint64_t n, dropped;

	for (n = 0; n < 100000 && log_dropped() == 0; n++)
		log_info("%0100d", 0);
	ck_assert_uint_gt(n, 10); /* some were taken first */
	ck_assert_uint_eq(log_dropped(), 1);
	log_info("also lost");
	dropped = log_dropped();
	ck_assert_uint_eq(dropped, 2);
	while (*sink_text())
		;
	log_info("back");
	ck_assert_str_eq(sink_text(), "lunmuxd: db01: back\n");
	ck_assert_uint_eq(log_dropped(), dropped);
}
END_TEST

/* 0: a pipe; 1: a socket, as the journal's. A write that waited would never come back. */
START_TEST(test_room_taken_by_another)
{
	char filling[4096] = "";
	int pair[2];

	if (_i) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		ck_assert_int_eq(dup2(pair[0], STDERR_FILENO), STDERR_FILENO);
		log_init("lunmuxd", "db01", LOG_L_INFO);
	}
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK), 0);
	while (write(STDERR_FILENO, filling, sizeof(filling)) > 0)
		;
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_SETFL, 0), 0);
	poll_lies = true;
	log_info("x");
	poll_lies = false;
	ck_assert_uint_eq(log_dropped(), 1);
	/* It is the others' as well. */
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
}
END_TEST

START_TEST(test_dead_reader)
{
	close(sink);
	log_info("lost"); /* SIGPIPE would end the test */
	ck_assert_uint_eq(log_dropped(), 1);
}
END_TEST

struct seen {
	unsigned n;
	enum log_level level;
	char first[300], last[300];
};

static void note_line(enum log_level level, const char *line, void *arg)
{
	struct seen *seen = arg;

	seen->level = level;
	snprintf(seen->last, sizeof(seen->last), "%s", line);
	if (seen->n++ == 0)
		snprintf(seen->first, sizeof(seen->first), "%s", line);
}

static void logging_hook(enum log_level level, const char *line, void *arg)
{
	note_line(level, line, arg);
	log_err("from the hook");
}

START_TEST(test_hook)
{
	struct seen seen = { 0 };

	log_set_hook(note_line, &seen);
	log_warn("one\n");
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_int_eq(seen.level, LOG_L_WARN);
	ck_assert_str_eq(seen.last, "lunmuxd: db01: one?");
	log_debug("above the level");
	ck_assert_uint_eq(seen.n, 1);
	log_set_hook(NULL, NULL);
	log_warn("two");
	ck_assert_uint_eq(seen.n, 1);
	log_set_hook(logging_hook, &seen);
	log_warn("three");
	ck_assert_uint_eq(seen.n, 2); /* not called for its own message */
	ck_assert_ptr_nonnull(strstr(sink_text(), "from the hook"));
}
END_TEST

START_TEST(test_recent)
{
	struct seen seen = { 0 };
	int i;

	log_recent(note_line, &seen);
	ck_assert_uint_eq(seen.n, 0);
	log_notice("line %d", 0);
	log_debug("above the level");
	log_recent(note_line, &seen);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_int_eq(seen.level, LOG_L_NOTICE);
	ck_assert_str_eq(seen.last, "lunmuxd: db01: line 0");

	for (i = 1; i < 1000; i++)
		log_info("line %d", i);
	log_info("%0400d", 1);
	seen = (struct seen){ 0 };
	log_recent(note_line, &seen);
	ck_assert_uint_eq(seen.n, 128);
	ck_assert_str_eq(seen.first, "lunmuxd: db01: line 873");
	ck_assert_uint_eq(strlen(seen.last), 255);
}
END_TEST

START_TEST(test_limit)
{
	struct log_limit l = { 0 };
	unsigned missed = 99, i;
	uint64_t now_ns = 5 * NS_PER_SEC;

	for (i = 0; i < 3; i++) {
		ck_assert(log_allow(&l, now_ns + i, 3, NS_PER_SEC, &missed));
		ck_assert_uint_eq(missed, 0);
	}
	missed = 99;
	for (i = 0; i < 7; i++)
		ck_assert(!log_allow(&l, now_ns + NS_PER_SEC - 1, 3, NS_PER_SEC, &missed));
	ck_assert_uint_eq(missed, 99);
	ck_assert(log_allow(&l, now_ns + NS_PER_SEC, 3, NS_PER_SEC, &missed));
	ck_assert_uint_eq(missed, 7);
	ck_assert(log_allow(&l, now_ns + NS_PER_SEC, 3, NS_PER_SEC, &missed));
	ck_assert_uint_eq(missed, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("log");
	TCase *tc = tcase_create("log");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_line);
	tcase_add_loop_test(tc, test_levels, 0, 5);
	tcase_add_test(tc, test_journal_prefix);
	tcase_add_test(tc, test_control_characters);
	tcase_add_test(tc, test_long_message);
	tcase_add_test(tc, test_long_names);
	tcase_add_test(tc, test_errno_survives);
	tcase_add_test(tc, test_full_sink);
	tcase_add_loop_test(tc, test_room_taken_by_another, 0, 2);
	tcase_add_test(tc, test_dead_reader);
	tcase_add_test(tc, test_hook);
	tcase_add_test(tc, test_recent);
	tcase_add_test(tc, test_limit);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
