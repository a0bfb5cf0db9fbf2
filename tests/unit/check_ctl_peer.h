/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_ctl_peer.h - clients of the control socket in the server's own thread,
 * over libev, for check_ctl_server.c and check_ctl_sock.c.
 */
#ifndef TESTS_UNIT_CHECK_CTL_PEER_H
#define TESTS_UNIT_CHECK_CTL_PEER_H

#include "check_ctl_env.h"

struct peer {
	struct loop_fd f;
	char *buf;
	size_t len, size;
	bool eof;
};

static void peer_fn(struct loop_fd *f, int events)
{
	struct peer *p = container_of(f, struct peer, f);
	ssize_t n;

	if (p->len + 4096 > p->size) {
		p->size = p->size * 2 + 16384;
		p->buf = realloc(p->buf, p->size);
	}
	n = recv(f->fd, p->buf + p->len, p->size - p->len - 1, 0);
	if (n <= 0) {
		p->eof = true;
		loop_fd_set(loop, f, 0);
	} else {
		p->len += (size_t)n;
	}
	p->buf[p->len] = '\0';
	loop_stop(loop);
}

static void deadline_fn(struct loop_timer *t)
{
	loop_stop(loop);
}

static void run_ms(unsigned ms)
{
	struct loop_timer t;

	loop_timer_init(&t, deadline_fn);
	loop_timer_in(loop, &t, ms * NS_PER_MS);
	while (loop_timer_running(&t))
		loop_run(loop);
}

static void step(void)
{
	run_ms(1);
}

static void peer_open(struct peer *p)
{
	memset(p, 0, sizeof(*p));
	loop_fd_init(&p->f, env_connect(), peer_fn);
	loop_fd_set(loop, &p->f, LOOP_READ);
}

static void peer_close(struct peer *p)
{
	loop_fd_set(loop, &p->f, 0);
	close(p->f.fd);
	free(p->buf);
}

static void peer_send(struct peer *p, const char *line)
{
	ck_assert_int_eq(send(p->f.fd, line, strlen(line), MSG_NOSIGNAL),
			 (ssize_t)strlen(line));
}

/* The next response line, decoded; fails the test after 5 s. */
static void peer_recv(struct peer *p, struct ctl_response *resp)
{
	struct loop_timer t;
	struct ctl_error err;
	char *nl;

	loop_timer_init(&t, deadline_fn);
	loop_timer_in(loop, &t, 5 * NS_PER_SEC);
	while (!(nl = p->buf ? strchr(p->buf, '\n') : NULL)) {
		ck_assert_msg(!p->eof, "connection ended");
		ck_assert_msg(loop_timer_running(&t), "no answer");
		loop_run(loop);
	}
	loop_timer_stop(loop, &t);
	ck_assert_msg(ctl_response_decode(p->buf, (size_t)(nl - p->buf), resp, &err) ==
			      0,
		      "%s", err.message);
	p->len -= (size_t)(nl + 1 - p->buf);
	memmove(p->buf, nl + 1, p->len + 1);
}

/* The result of a request that must succeed. */
static json_t __attribute__((unused)) *ok(const char *line)
{
	struct ctl_response resp;
	struct peer p;

	peer_open(&p);
	peer_send(&p, line);
	peer_send(&p, "\n");
	peer_recv(&p, &resp);
	ck_assert_msg(resp.ok, "%s: %s", line, resp.error.message);
	peer_close(&p);
	return resp.result;
}

static void __attribute__((unused))
fails(const char *line, enum ctl_code code, const char *message, const char *hint)
{
	struct ctl_response resp;
	struct peer p;

	peer_open(&p);
	peer_send(&p, line);
	peer_send(&p, "\n");
	peer_recv(&p, &resp);
	ck_assert_msg(!resp.ok, "%s succeeded", line);
	ck_assert_str_eq(ctl_code_name(resp.error.code), ctl_code_name(code));
	ck_assert_msg(strstr(resp.error.message, message) != NULL, "message: %s",
		      resp.error.message);
	ck_assert_msg(strstr(resp.error.hint, hint) != NULL, "hint: %s",
		      resp.error.hint);
	peer_close(&p);
}

static const char __attribute__((unused)) * str(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	ck_assert_msg(json_is_string(v), "no string %s", key);
	return json_string_value(v);
}

static long long __attribute__((unused)) num(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	ck_assert_msg(json_is_integer(v), "no number %s", key);
	return json_integer_value(v);
}

static void start(unsigned npaths)
{
	env_start(loop_ev_new(), npaths);
	for (int i = 0; i < 1000 && npaths && lun_get_state(lun) != LUN_UP; i++)
		step();
	run_ms(10);
}

static void finish(void)
{
	env_end(step);
}

#endif
