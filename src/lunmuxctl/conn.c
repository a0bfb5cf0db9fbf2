/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn.c - one request to one daemon, or the same to many at a time, and never
 * longer than the time that the user gave.
 */
#include "config.h"

#include "lunmuxctl/cmd.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"

struct conn {
	int fd; /* -1: failed, err says how */
	const char *rundir, *name;
	struct ctl_error err;
};

uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / NS_PER_MS;
}

void *must(void *p)
{
	if (!p) {
		fputs("lunmuxctl: out of memory\n", stderr);
		exit(EXIT_FAILED);
	}
	return p;
}

/* 1: ready, 0: time is up, -errno. */
static int wait_fd(int fd, short events, uint64_t due_ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		uint64_t now = clock_ms();
		int left = now >= due_ms ? 0 : (int)MIN(due_ms - now, 3600000u);
		int r = poll(&p, 1, left);

		if (r < 0 && errno != EINTR)
			return -errno;
		if (r > 0)
			return 1;
		if (r == 0 && clock_ms() >= due_ms)
			return 0;
	}
}

/* --- what went wrong, in words ------------------------------------------------------
 */

static void say_absent(struct conn *c)
{
	struct names ns = {0};
	struct ctl_error ignored;
	const char *near = NULL;

	ctl_fail(&c->err, CTL_E_NO_SUCH_LUN, "there is no LUN %s in %s", c->name,
		 c->rundir);
	if (names_scan(c->rundir, &ns, &ignored) == 0 && ns.n > 0) {
		const char **words = must(calloc(ns.n, sizeof(*words)));

		for (size_t i = 0; i < ns.n; i++)
			words[i] = ns.name[i];
		near = ctl_nearest(c->name, words, ns.n);
		if (near)
			ctl_hint(&c->err, "did you mean %s?", near);
		else
			ctl_hint(&c->err, "\"lunmuxctl list\" names those that run");
		free(words);
	} else {
		ctl_hint(&c->err,
			 "no LUN runs here: \"lunmuxd %s\" starts it, -R names another "
			 "directory",
			 c->name);
	}
	names_free(&ns);
}

static void say_connect(struct conn *c, int error)
{
	char dir[4096];
	struct stat st;

	switch (error) {
	case ENOENT:
	case ENOTDIR:
		snprintf(dir, sizeof(dir), "%s/%s", c->rundir, c->name);
		if (stat(dir, &st) < 0 && (errno == ENOENT || errno == ENOTDIR)) {
			say_absent(c);
			return;
		}
		/* fall through */
	case ECONNREFUSED:
		ctl_fail(&c->err, CTL_E_UNREACHABLE, "lunmuxd is not running for %s",
			 c->name);
		ctl_hint(&c->err,
			 "\"lunmuxd %s\" starts it; if it did run, its log says why it ended",
			 c->name);
		return;
	case EACCES:
	case EPERM:
		ctl_fail(&c->err, CTL_E_DENIED, "%s/%s/ctl.sock: %s", c->rundir,
			 c->name, strerror(error));
		ctl_hint(&c->err, "be root or a member of the daemon's group");
		return;
	case EAGAIN:
	case ETIMEDOUT:
		ctl_fail(&c->err, CTL_E_TIMEOUT, "lunmuxd of %s does not answer",
			 c->name);
		ctl_hint(&c->err, "it may be stopped or in an uninterruptible call; "
				  "--timeout waits "
				  "longer");
		return;
	default:
		ctl_fail(&c->err, CTL_E_UNREACHABLE, "%s/%s/ctl.sock: %s", c->rundir,
			 c->name, strerror(error));
	}
}

/* --- steps
 * ------------------------------------------------------------------------------ */

/* A full backlog is EAGAIN at once, and poll(2) does not know of it: ask again. */
static int connect_until(int fd, const struct sockaddr_un *addr, uint64_t due_ms)
{
	for (;;) {
		if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (clock_ms() >= due_ms)
			return -EAGAIN;
		poll(NULL, 0, 5);
	}
}

static int send_until(int fd, const char *buf, size_t len, uint64_t due_ms)
{
	while (len > 0) {
		ssize_t n = send(fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r;

		if (n >= 0) {
			buf += n;
			len -= (size_t)n;
			continue;
		}
		/* A daemon that refuses us may have answered already: read that. */
		if (errno == EPIPE || errno == ECONNRESET)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_fd(fd, POLLOUT, due_ms);
		if (r <= 0)
			return r < 0 ? r : -ETIMEDOUT;
	}
	return 0;
}

/* A whole line into *ret (malloc'ed), without its newline. Length or -errno; -EPIPE:
 * the end came first. */
static ssize_t recv_line(int fd, char **ret, uint64_t due_ms)
{
	_cleanup_free_ char *buf = NULL;
	size_t size = 0, len = 0;

	for (;;) {
		char *nl;
		ssize_t n;
		int r;

		if (len == size) {
			if (size >= CTL_REPLY_MAX)
				return -EMSGSIZE;
			size = size ? size * 2 : 16384;
			buf = must(realloc(buf, size));
		}
		n = recv(fd, buf + len, size - len, MSG_DONTWAIT);
		if (n > 0) {
			nl = memchr(buf + len, '\n', (size_t)n);
			len += (size_t)n;
			if (!nl)
				continue;
			*ret = take_ptr(buf);
			return nl - *ret;
		}
		if (n == 0)
			return -EPIPE;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_fd(fd, POLLIN, due_ms);
		if (r <= 0)
			return r < 0 ? r : -ETIMEDOUT;
	}
}

static void conn_start(struct conn *c, const char *line, size_t len, uint64_t due_ms)
{
	struct sockaddr_un addr;
	int r = ctl_socket_addr(c->rundir, c->name, &addr);

	c->fd = -1;
	if (r == -EINVAL) {
		ctl_fail(&c->err, CTL_E_NO_SUCH_LUN, "%s is no name of a LUN", c->name);
		ctl_hint(&c->err, "letters, digits, '.', '_', '-'; at most %u bytes",
			 NAME_BYTES_MAX);
		return;
	}
	if (r < 0) {
		ctl_fail(&c->err, CTL_E_UNREACHABLE,
			 "%s/%s/ctl.sock: the path is too long for a "
			 "socket",
			 c->rundir, c->name);
		return;
	}
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		say_connect(c, errno);
		return;
	}
	r = connect_until(c->fd, &addr, due_ms);
	if (r == 0)
		r = send_until(c->fd, line, len, due_ms);
	if (r < 0) {
		say_connect(c, -r);
		close(c->fd);
		c->fd = -1;
	}
}

static void conn_finish(struct conn *c, uint64_t due_ms, struct answer *a)
{
	_cleanup_free_ char *line = NULL;
	struct ctl_response resp = {0};
	ssize_t n;

	memset(a, 0, sizeof(*a));
	if (c->fd < 0) {
		a->err = c->err;
		return;
	}
	n = recv_line(c->fd, &line, due_ms);
	close(c->fd);
	c->fd = -1;
	if (n == -EPIPE || n == -ECONNRESET) {
		ctl_fail(&a->err, CTL_E_UNREACHABLE,
			 "lunmuxd of %s ended the connection", c->name);
		ctl_hint(&a->err, "it may have stopped just now; its log may say why");
		return;
	}
	if (n < 0) {
		say_connect(c, (int)-n);
		a->err = c->err;
		return;
	}
	if (ctl_response_decode(line, (size_t)n, &resp, &a->err) < 0)
		return;
	if (resp.ok && !json_is_object(resp.result))
		ctl_fail(&a->err, CTL_E_FAILED, "response: the result is no object");
	else if (resp.ok)
		a->result = json_incref(resp.result);
	else
		a->err = resp.error;
	a->ok = a->result != NULL;
	ctl_response_clear(&resp);
}

/* --- asking
 * --------------------------------------------------------------------------------- */

void ask(const char *rundir, const char *name, const char *verb, const json_t *args,
	 uint64_t due_ms, struct answer *a)
{
	struct conn c = {.rundir = rundir, .name = name};
	size_t len = 0;
	_cleanup_free_ char *line = ctl_request_encode(verb, args, &len);

	if (!line) {
		memset(a, 0, sizeof(*a));
		ctl_fail(&a->err, CTL_E_USAGE, "an argument is too long or not UTF-8");
		return;
	}
	conn_start(&c, line, len, due_ms);
	conn_finish(&c, due_ms, a);
}

void ask_all(const char *rundir, const struct names *ns, size_t first, size_t n,
	     const char *verb, uint64_t due_ms, struct answer *answers)
{
	struct conn *conns = must(calloc(n, sizeof(*conns)));
	size_t len = 0;
	char *line = must(ctl_request_encode(verb, NULL, &len));

	for (size_t i = 0; i < n; i++) {
		conns[i].rundir = rundir;
		conns[i].name = ns->name[first + i];
		conn_start(&conns[i], line, len, due_ms);
	}
	for (size_t i = 0; i < n; i++)
		conn_finish(&conns[i], due_ms, &answers[i]);
	free(line);
	free(conns);
}
