/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_ctl_hostile.c - clients of the control socket that send garbage, stop
 * in the middle, never read, or are too many; and a machine without memory.
 * Real sockets, virtual time: a minute's silence costs nothing here.
 *
 * Each case ends with a client that behaves and is served.
 */
#include "config.h"

#include "check_ctl_env.h"

#include "base/fault.h"
#include "base/prng.h"

#include <poll.h>

/* --- the simulated loop watches no descriptor: do it here ------------------------- */

static bool ready(const struct loop_fd *f, int *ret_events)
{
	struct pollfd p = {.fd = f->fd};

	if (!f->events)
		return false;
	p.events = (f->events & LOOP_READ ? POLLIN : 0) |
		   (f->events & LOOP_WRITE ? POLLOUT : 0);
	if (poll(&p, 1, 0) <= 0)
		return false;
	*ret_events = f->events;
	return true;
}

/* One callback of somebody who has something to do; false: nobody has. */
static bool io_once(void)
{
	struct ctl_client *c;
	int events;

	if (ready(&server->listener, &events)) {
		server->listener.fn(&server->listener, events);
		return true;
	}
	TAILQ_FOREACH (c, &server->clients, link) {
		if (ready(&c->fd, &events)) {
			ctl_client_io(&c->fd, events);
			return true;
		}
	}
	return false;
}

static void nothing(struct loop_timer *t)
{
}

static void run_ns(uint64_t ns)
{
	struct loop_timer t;

	loop_timer_init(&t, nothing);
	loop_timer_in(loop, &t, ns);
	while (loop_timer_running(&t)) {
		for (int i = 0; i < 1000 && io_once(); i++)
			;
		loop_sim_step(loop);
	}
	ck_assert_uint_le(server->out_bytes, CTL_OUT_TOTAL_MAX);
}

static void step(void)
{
	loop_sim_step(loop);
}

static void start(unsigned npaths)
{
	env_start(loop_sim_new(1000 * NS_PER_SEC), npaths);
	run_ns(50 * NS_PER_MS);
}

static void finish(void)
{
	env_end(step);
}

/* What has come on @fd, as text; "" and *ret_eof. */
static const char *received(int fd, bool *ret_eof)
{
	static char buf[1 << 20];
	size_t len = 0;
	ssize_t n = -1;

	while (len < sizeof(buf) - 1 &&
	       (n = recv(fd, buf + len, sizeof(buf) - 1 - len, 0)) > 0)
		len += (size_t)n;
	buf[len] = '\0';
	if (ret_eof)
		*ret_eof = n == 0 || (n < 0 && errno == ECONNRESET);
	return buf;
}

static void put(int fd, const void *bytes, size_t len)
{
	const char *b = bytes;

	while (len > 0) {
		ssize_t n = send(fd, b, len, MSG_NOSIGNAL);

		if (n < 0) {
			ck_assert_msg(errno == EAGAIN, "send: %m");
			run_ns(NS_PER_MS);
			continue;
		}
		b += n;
		len -= (size_t)n;
	}
}

static void put_str(int fd, const char *s)
{
	put(fd, s, strlen(s));
}

#define PING "{\"v\":1,\"verb\":\"ping\"}\n"

/* Somebody else is served as if nothing were wrong. */
static void others_are_served(void)
{
	int fd = env_connect();

	put_str(fd, PING);
	run_ns(10 * NS_PER_MS);
	ck_assert_ptr_nonnull(strstr(received(fd, NULL), "\"ok\":true"));
	close(fd);
	run_ns(NS_PER_MS);
}

/* --- bytes --------------------------------------------------------------------------
 */

START_TEST(test_garbage_lines)
{
	struct prng r;
	bool eof;
	int fd;

	start(1);
	fd = env_connect();
	prng_init(&r, 42, 0);
	for (int i = 0; i < 300; i++) {
		char line[200];
		size_t len = 1 + prng_below(&r, sizeof(line) - 1);

		for (size_t k = 0; k + 1 < len; k++) {
			line[k] = (char)prng_u64(&r);
			if (line[k] == '\n')
				line[k] = 0;
		}
		line[len - 1] = '\n';
		put(fd, line, len);
		run_ns(NS_PER_MS);
		ck_assert_ptr_nonnull(
			strstr(received(fd, &eof), "\"code\":\"bad-request\""));
		ck_assert(!eof);
	}
	put_str(fd, PING);
	run_ns(NS_PER_MS);
	ck_assert_ptr_nonnull(strstr(received(fd, NULL), "\"ok\":true"));
	close(fd);
	finish();
}
END_TEST

/* 1 MiB without a newline: one error, then the end; no more than a line is ever kept.
 */
START_TEST(test_endless_line)
{
	static char big[1 << 20];
	size_t done = 0;
	bool eof = false;
	int fd;

	start(1);
	memset(big, 'a', sizeof(big));
	fd = env_connect();
	while (done < sizeof(big)) {
		ssize_t n = send(fd, big + done, sizeof(big) - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			break;
		done += n > 0 ? (size_t)n : 0;
		run_ns(NS_PER_MS);
	}
	ck_assert_uint_lt(done, sizeof(big));
	ck_assert_ptr_nonnull(strstr(received(fd, &eof), "longer than"));
	ck_assert(eof);
	ck_assert_uint_eq(server->nclients, 0);
	others_are_served();
	close(fd);
	finish();
}
END_TEST

/* The longest line that is allowed, newline included, is one. */
START_TEST(test_longest_line)
{
	static char line[CTL_LINE_MAX];
	bool eof;
	int fd;

	start(1);
	memset(line, ' ', sizeof(line));
	memcpy(line, PING, strlen(PING) - 1);
	line[sizeof(line) - 1] = '\n';
	fd = env_connect();
	put(fd, line, sizeof(line));
	run_ns(10 * NS_PER_MS);
	ck_assert_ptr_nonnull(strstr(received(fd, &eof), "\"ok\":true"));
	ck_assert(!eof);
	close(fd);
	finish();
}
END_TEST

START_TEST(test_leaves_in_the_middle)
{
	const char *line = PING;
	size_t len = strlen(line);

	start(1);
	for (size_t n = 0; n < len; n++) {
		int fd = env_connect();

		put(fd, line, n);
		if (n % 2)
			run_ns(NS_PER_MS);
		close(fd);
		run_ns(NS_PER_MS);
		ck_assert_uint_eq(server->nclients, 0);
	}
	others_are_served();
	finish();
}
END_TEST

/* --- time
 * ------------------------------------------------------------------------------ */

/* Half a line, then silence: the slot comes back, not before its time. */
START_TEST(test_half_line)
{
	bool eof;
	int fd;

	start(1);
	fd = env_connect();
	put_str(fd, "{\"v\":1,");
	run_ns(CTL_IDLE_NS - NS_PER_SEC);
	ck_assert_uint_eq(server->nclients, 1);
	run_ns(2 * NS_PER_SEC);
	ck_assert_uint_eq(server->nclients, 0);
	received(fd, &eof);
	ck_assert(eof);
	close(fd);
	finish();
}
END_TEST

/* A byte now and then does not keep the slot. */
START_TEST(test_drip)
{
	int sent = 0, fd;

	start(1);
	fd = env_connect();
	while (server->nclients || sent < 2) {
		ck_assert_int_lt(sent, 10);
		if (send(fd, " ", 1, MSG_NOSIGNAL) < 0)
			break;
		sent++;
		run_ns(10 * NS_PER_SEC);
	}
	ck_assert_int_ge(sent, 6);
	close(fd);
	finish();
}
END_TEST

/* Asks and asks, and never reads: one response is made at a time, others are served,
 * and the end comes after CTL_SEND_NS. */
START_TEST(test_never_reads)
{
	char many[4096] = "";
	int fd;

	start(4);
	exports_bytes = MIB;
	while (strlen(many) + 32 < sizeof(many))
		strcat(many, "{\"v\":1,\"verb\":\"status\"}\n");
	fd = env_connect();
	for (int i = 0; i < 100; i++) {
		if (send(fd, many, strlen(many), MSG_NOSIGNAL) < 0)
			ck_assert_int_eq(errno, EAGAIN);
		run_ns(NS_PER_MS);
		ck_assert_uint_le(server->out_bytes, 2 * MIB);
	}
	others_are_served();
	ck_assert_uint_eq(server->nclients, 1);
	run_ns(CTL_SEND_NS + NS_PER_SEC);
	ck_assert_uint_eq(server->nclients, 0);
	ck_assert_uint_eq(server->out_bytes, 0);
	close(fd);
	finish();
}
END_TEST

/* --- numbers
 * --------------------------------------------------------------------------- */

/* Many unread responses: the memory is bounded, at the cost of the one that has not
 * read for the longest time. */
START_TEST(test_unread_in_all)
{
	int fd[16];

	start(1);
	exports_bytes = MIB;
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++) {
		fd[i] = env_connect();
		put_str(fd[i], "{\"v\":1,\"verb\":\"status\"}\n");
		run_ns(NS_PER_MS); /* checks the bound */
	}
	ck_assert_uint_ge(server->nclients, 6);
	ck_assert_uint_lt(server->nclients, 9);
	others_are_served();
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
	run_ns(NS_PER_MS);
	ck_assert_uint_eq(server->nclients, 0);
	finish();
}
END_TEST

START_TEST(test_answer_too_large)
{
	bool eof;
	int fd;

	start(1);
	exports_bytes = CTL_REPLY_MAX;
	fd = env_connect();
	put_str(fd, "{\"v\":1,\"verb\":\"status\"}\n");
	run_ns(NS_PER_MS);
	ck_assert_ptr_nonnull(strstr(received(fd, &eof), "\"ok\":false"));
	ck_assert(!eof);
	close(fd);
	finish();
}
END_TEST

/* All slots taken: the next one is told so; idle ones lose their slot to it after a
 * while. */
START_TEST(test_too_many)
{
	int fd[CTL_CLIENTS_MAX], extra;
	bool eof;

	start(1);
	for (size_t i = 0; i < CTL_CLIENTS_MAX; i++) {
		fd[i] = env_connect();
		run_ns(NS_PER_MS);
	}
	ck_assert_uint_eq(server->nclients, CTL_CLIENTS_MAX);
	extra = env_connect();
	run_ns(NS_PER_MS);
	ck_assert_ptr_nonnull(strstr(received(extra, &eof), "\"code\":\"busy\""));
	ck_assert(eof);
	close(extra);
	run_ns(2 * NS_PER_SEC);
	others_are_served();
	received(fd[0], &eof); /* the oldest */
	ck_assert(eof);
	received(fd[1], &eof);
	ck_assert(!eof);
	for (size_t i = 0; i < CTL_CLIENTS_MAX; i++)
		close(fd[i]);
	run_ns(NS_PER_MS);
	finish();
}
END_TEST

/* Those who may only read cannot take the administrator's slots. */
START_TEST(test_readers_leave_slots)
{
	unsigned n = 0;
	int sv[2], peers[CTL_CLIENTS_MAX];

	start(1);
	while (ctl_admit(server, false)) {
		ck_assert_int_eq(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv), 0);
		ck_assert_ptr_nonnull(ctl_client_new(server, sv[0], false));
		peers[n++] = sv[1];
	}
	ck_assert_uint_eq(n, CTL_CLIENTS_MAX - CTL_CLIENTS_RESERVED);
	others_are_served();
	/* They read, and change nothing. */
	put_str(peers[0],
		"{\"v\":1,\"verb\":\"paths\"}\n{\"v\":1,\"verb\":\"fail-path\","
		"\"path\":\"sg3\"}\n");
	run_ns(NS_PER_MS);
	ck_assert_ptr_nonnull(strstr(received(peers[0], NULL), "\"code\":\"denied\""));
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	for (unsigned i = 0; i < n; i++)
		close(peers[i]);
	run_ns(NS_PER_MS);
	ck_assert_uint_eq(server->nreaders, 0);
	finish();
}
END_TEST

/* A condition that becomes true for all waiting clients at once, with answers that push
 * one another out. */
START_TEST(test_waiting_crowd)
{
	int fd[CTL_CLIENTS_MAX];
	unsigned answered = 0;

	start(1);
	for (size_t i = 0; i < CTL_CLIENTS_MAX; i++) {
		fd[i] = env_connect();
		put_str(fd[i], "{\"v\":1,\"verb\":\"wait\",\"state\":\"down\","
			       "\"timeout_ms\":60000}\n");
		run_ns(NS_PER_MS);
	}
	lun_fail_path(lun, &sps[0]->path);
	run_ns(10 * NS_PER_MS);
	for (size_t i = 0; i < CTL_CLIENTS_MAX; i++) {
		answered += strstr(received(fd[i], NULL), "\"ok\":true") != NULL;
		close(fd[i]);
	}
	ck_assert_uint_eq(answered, CTL_CLIENTS_MAX);
	run_ns(NS_PER_MS);
	finish();
}
END_TEST

/* --- no memory
 * --------------------------------------------------------------------------- */

static void *failing_malloc(size_t size)
{
	return fault_strikes(FAULT_ALLOC) ? NULL : malloc(size);
}

/* Fail the k-th allocation of the JSON library for k = 1, 2, ... until none failed:
 * each time there is an answer or the end of the connection, and the next request is
 * served. */
START_TEST(test_no_memory)
{
	static const char *const verbs[] = {"ping", "status", "stats",
					    "fail-path\",\"path\":\"sg3",
					    "wait\",\"paths\":\"1"};
	unsigned refused = 0, k = 0;
	bool struck = true, eof;
	char line[100];

	start(2);
	json_set_alloc_funcs(failing_malloc, free);
	snprintf(line, sizeof(line), "{\"v\":1,\"verb\":\"%s\"}\n", verbs[_i]);
	while (struck) {
		int fd = env_connect();
		const char *text;

		put_str(fd, line);
		fault_arm(FAULT_ALLOC, ++k, 1);
		run_ns(NS_PER_MS);
		struck = fault_count(FAULT_ALLOC) >= k;
		fault_disarm_all();
		text = received(fd, &eof);
		ck_assert_msg(eof || (strstr(text, "\"ok\":") && strchr(text, '\n')),
			      "allocation %u: \"%s\"", k, text);
		refused += eof || strstr(text, "no-memory") != NULL;
		close(fd);
		run_ns(NS_PER_MS);
		ck_assert_uint_eq(server->nclients, 0);
		ck_assert_uint_lt(k, 10000);
	}
	ck_assert_uint_gt(refused, 5);
	others_are_served();
	json_set_alloc_funcs(malloc, free);
	finish();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl_hostile");
	TCase *tc = tcase_create("hostile");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_garbage_lines);
	tcase_add_test(tc, test_endless_line);
	tcase_add_test(tc, test_longest_line);
	tcase_add_test(tc, test_leaves_in_the_middle);
	tcase_add_test(tc, test_half_line);
	tcase_add_test(tc, test_drip);
	tcase_add_test(tc, test_never_reads);
	tcase_add_test(tc, test_unread_in_all);
	tcase_add_test(tc, test_answer_too_large);
	tcase_add_test(tc, test_too_many);
	tcase_add_test(tc, test_readers_leave_slots);
	tcase_add_test(tc, test_waiting_crowd);
	tcase_add_loop_test(tc, test_no_memory, 0, 5);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
