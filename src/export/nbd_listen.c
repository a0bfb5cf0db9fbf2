/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_listen.c - where clients come from: a Unix socket, TCP on loopback.
 *
 * A Unix socket may be left over from a crash: nobody answers connect(), and
 * it is replaced.  One that somebody answers on is never touched.
 */
#include <config.h>

#include "export/nbd_int.h"

#include "base/cleanup.h"
#include "base/units.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 16
#define ACCEPT_PAUSE_NS (500 * NS_PER_MS)
/* What one turn can gather for a client; the kernel cuts it to net.core.wmem_max. */
#define SEND_BUFFER_BYTES (1024 * 1024)

union address {
	struct sockaddr sa;
	struct sockaddr_un un;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

void nbd_peer_name(int fd, char *buf, size_t size)
{
	union address a = {0};
	socklen_t len = sizeof(a), ucred_len = sizeof(struct ucred);
	char text[INET6_ADDRSTRLEN];
	struct ucred u;

	snprintf(buf, size, "unknown");
	if (getpeername(fd, &a.sa, &len) < 0)
		return;
	if (a.sa.sa_family == AF_UNIX &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &ucred_len) == 0)
		snprintf(buf, size, "unix pid %d uid %u", u.pid, u.uid);
	else if (a.sa.sa_family == AF_INET && inet_ntop(AF_INET, &a.in.sin_addr, text, sizeof(text)))
		snprintf(buf, size, "%s:%u", text, ntohs(a.in.sin_port));
	else if (a.sa.sa_family == AF_INET6 &&
		 inet_ntop(AF_INET6, &a.in6.sin6_addr, text, sizeof(text)))
		snprintf(buf, size, "[%s]:%u", text, ntohs(a.in6.sin6_port));
}

/* --- accepting ---------------------------------------------------------------------------- */

/* All of these only make it better; without them it works. */
void nbd_tune_client(int fd)
{
	int bytes = SEND_BUFFER_BYTES;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static void tune_tcp(int fd)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
}

/* One client. False: none is left, or not now. */
static bool accept_one(struct nbd_listener *lis)
{
	struct nbd_server *s = lis->srv;
	union address a = {0};
	socklen_t len = sizeof(a);
	int fd = accept4(lis->fd.fd, &a.sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		nbd_tune_client(fd);
		if (a.sa.sa_family != AF_UNIX)
			tune_tcp(fd);
		(void)nbd_server_add(s, fd); /* a refusal has been counted and logged */
		return true;
	}
	/* The client was quicker than we. */
	if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO)
		return true;
	if (errno == EAGAIN)
		return false;
	/* EMFILE and its kin: the client stays in the backlog, and the socket readable: look away
	 * for a while, or the loop would spin. */
	nbd_noise(s, LOG_L_WARN, "nbd: accept: %s; next try in %u ms", strerror(errno),
		  (unsigned)(ACCEPT_PAUSE_NS / NS_PER_MS));
	nbd_listen_watch(s, false);
	loop_timer_in(s->loop, &s->accept_again, ACCEPT_PAUSE_NS);
	return false;
}

static void listener_readable(struct loop_fd *f, int events)
{
	struct nbd_listener *lis = container_of(f, struct nbd_listener, fd);
	unsigned n;

	for (n = 0; n < ACCEPTS_PER_TURN && accept_one(lis); n++)
		;
}

void nbd_accept_again(struct loop_timer *t)
{
	struct nbd_server *s = container_of(t, struct nbd_server, accept_again);

	nbd_listen_watch(s, true);
}

void nbd_listen_watch(struct nbd_server *s, bool on)
{
	if (s->unix_lis.fd.fd >= 0)
		loop_fd_set(s->loop, &s->unix_lis.fd, on ? LOOP_READ : 0);
	if (s->tcp_lis.fd.fd >= 0)
		loop_fd_set(s->loop, &s->tcp_lis.fd, on ? LOOP_READ : 0);
}

/* --- the Unix socket ------------------------------------------------------------------------- */

static int new_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 ? fd : -errno;
}

/* Does somebody listen on @a? 0: no, -EADDRINUSE: yes, or another negative errno: cannot tell. */
static int probe_unix(const struct sockaddr_un *a)
{
	_cleanup_close_ int fd = new_socket(AF_UNIX);

	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0)
		return -EADDRINUSE;
	if (errno == ECONNREFUSED || errno == ENOENT)
		return 0;
	/* A full backlog: somebody is there, only slow. */
	return errno == EAGAIN ? -EADDRINUSE : -errno;
}

/* Make way at @a's path. 0 or -errno, logged. */
static int clear_path(const struct sockaddr_un *a)
{
	struct stat st;
	int r;

	if (lstat(a->sun_path, &st) < 0) {
		if (errno == ENOENT)
			return 0;
		r = -errno;
		log_err("nbd: %s: %s", a->sun_path, strerror(-r));
		return r;
	}
	if (!S_ISSOCK(st.st_mode)) {
		log_err("nbd: %s: exists and is not a socket. Hint: choose another name, or remove it",
			a->sun_path);
		return -EEXIST;
	}
	r = probe_unix(a);
	if (r == -EADDRINUSE)
		log_err("nbd: %s: another process listens on this socket. Hint: is lunmuxd already "
			"running for this LUN?", a->sun_path);
	else if (r < 0)
		log_err("nbd: %s: cannot tell whether the socket is in use: %s", a->sun_path,
			strerror(-r));
	if (r < 0)
		return r;
	if (unlink(a->sun_path) < 0 && errno != ENOENT) {
		r = -errno;
		log_err("nbd: %s: stale socket: %s", a->sun_path, strerror(-r));
		return r;
	}
	log_notice("nbd: %s: removed a stale socket", a->sun_path);
	return 0;
}

/* bind() with the mode set from the first moment on. */
static int bind_unix(int fd, const struct sockaddr_un *a, unsigned mode)
{
	mode_t old = umask(0777 & ~mode);
	int r = bind(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 ? -errno : 0;

	umask(old);
	return r;
}

/* Is @fd, which an earlier process has listened on, bound to @a, and would a client find it there? */
static bool is_bound_to(int fd, const union address *a, socklen_t len)
{
	union address bound = {0};
	socklen_t bound_len = sizeof(bound);
	int on = 0;
	socklen_t on_len = sizeof(on);
	struct stat st;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &on_len) < 0 || !on ||
	    getsockname(fd, &bound.sa, &bound_len) < 0 || bound.sa.sa_family != a->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_UNIX)
		return strcmp(bound.un.sun_path, a->un.sun_path) == 0 &&
		       lstat(a->un.sun_path, &st) == 0 && S_ISSOCK(st.st_mode);
	return bound_len == len && memcmp(&bound, a, len) == 0;
}

/* True: @s listens on the Unix socket of an earlier process. Else that one is gone, its file, too. */
static bool adopt_unix(struct nbd_server *s, const struct sockaddr_un *a)
{
	int fd = s->conf.unix_fd;
	struct nbd_listener *lis = &s->unix_lis;
	union address want = {.un = *a}, bound = {0};
	socklen_t len = sizeof(bound);
	struct stat st;

	if (fd < 0)
		return false;
	if (!is_bound_to(fd, &want, sizeof(*a)) || stat(a->sun_path, &st) < 0) {
		if (getsockname(fd, &bound.sa, &len) == 0 && bound.sa.sa_family == AF_UNIX)
			(void)unlink(bound.un.sun_path);
		close(fd);
		return false;
	}
	lis->unix_bound = true;
	lis->dev = st.st_dev;
	lis->ino = st.st_ino;
	loop_fd_init(&lis->fd, fd, listener_readable);
	return true;
}

static int open_unix(struct nbd_server *s)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct nbd_listener *lis = &s->unix_lis;
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	_Static_assert(sizeof(a.sun_path) == NBD_UNIX_PATH_MAX, "sun_path");
	memcpy(a.sun_path, s->conf.unix_path, sizeof(a.sun_path));
	if (adopt_unix(s, &a))
		return 0;
	r = clear_path(&a);
	if (r < 0)
		return r;
	fd = new_socket(AF_UNIX);
	if (fd < 0)
		return fd;
	r = bind_unix(fd, &a, s->conf.unix_mode);
	if (r < 0) {
		log_err("nbd: %s: %s%s", a.sun_path, strerror(-r),
			r == -ENOENT ? ". Hint: the directory must exist" : "");
		return r;
	}
	/* Without knowing it again it could not be removed at the end. */
	if (stat(a.sun_path, &st) < 0) {
		r = -errno;
		(void)unlink(a.sun_path);
		log_err("nbd: %s: %s", a.sun_path, strerror(-r));
		return r;
	}
	lis->unix_bound = true;
	lis->dev = st.st_dev;
	lis->ino = st.st_ino;
	if (listen(fd, SOMAXCONN) < 0) {
		r = -errno;
		log_err("nbd: %s: %s", a.sun_path, strerror(-r));
		return r;
	}
	loop_fd_init(&lis->fd, take_fd(&fd), listener_readable);
	return 0;
}

/* --- TCP --------------------------------------------------------------------------------------- */

/* Without TLS nothing but loopback may be served. 0 or -EINVAL, logged. */
static int parse_tcp(const struct nbd_conf *conf, union address *a, socklen_t *ret_len)
{
	const char *host = strcmp(conf->tcp_host, "localhost") == 0 ? "127.0.0.1" : conf->tcp_host;

	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, host, &a->in.sin_addr) == 1) {
		a->in.sin_family = AF_INET;
		a->in.sin_port = htons(conf->tcp_port);
		*ret_len = sizeof(a->in);
		if (ntohl(a->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET)
			return 0;
	} else if (inet_pton(AF_INET6, host, &a->in6.sin6_addr) == 1) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons(conf->tcp_port);
		*ret_len = sizeof(a->in6);
		if (IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr))
			return 0;
	} else {
		log_err("nbd: tcp: '%s' is not a numeric address", conf->tcp_host);
		return -EINVAL;
	}
	log_err("nbd: tcp: %s is not a loopback address, and there is no TLS. Hint: use 127.0.0.1 "
		"or ::1, or a tunnel", conf->tcp_host);
	return -EINVAL;
}

static int open_tcp(struct nbd_server *s)
{
	_cleanup_close_ int fd = -1;
	union address a;
	socklen_t len;
	int one = 1, r = parse_tcp(&s->conf, &a, &len);

	if (r < 0)
		return r;
	if (is_bound_to(s->conf.tcp_fd, &a, len)) {
		loop_fd_init(&s->tcp_lis.fd, s->conf.tcp_fd, listener_readable);
		return 0;
	}
	if (s->conf.tcp_fd >= 0)
		close(s->conf.tcp_fd);
	fd = new_socket(a.sa.sa_family);
	if (fd < 0) {
		log_err("nbd: tcp: socket: %s", strerror(-fd));
		return fd;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &a.sa, len) < 0 || listen(fd, SOMAXCONN) < 0 ||
	    getsockname(fd, &a.sa, &len) < 0) {
		r = -errno;
		log_err("nbd: tcp: %s port %u: %s", s->conf.tcp_host, s->conf.tcp_port, strerror(-r));
		return r;
	}
	s->conf.tcp_port = ntohs(a.sa.sa_family == AF_INET ? a.in.sin_port : a.in6.sin6_port);
	loop_fd_init(&s->tcp_lis.fd, take_fd(&fd), listener_readable);
	return 0;
}

/* --- both ---------------------------------------------------------------------------------------- */

int nbd_listen_open(struct nbd_server *s)
{
	int r;

	s->unix_lis.srv = s->tcp_lis.srv = s;
	s->unix_lis.fd.fd = s->tcp_lis.fd.fd = -1;
	if (s->conf.unix_path[0] != '\0') {
		r = open_unix(s);
		if (r < 0)
			return r;
	}
	if (s->conf.tcp_host[0] != '\0')
		return open_tcp(s);
	/* An earlier process had one: who waits there must not wait for ever. */
	if (s->conf.tcp_fd >= 0)
		close(s->conf.tcp_fd);
	return 0;
}

static void close_one(struct nbd_server *s, struct nbd_listener *lis)
{
	if (lis->fd.fd < 0)
		return;
	loop_fd_set(s->loop, &lis->fd, 0);
	close(lis->fd.fd);
	lis->fd.fd = -1;
}

void nbd_listen_close(struct nbd_server *s)
{
	struct nbd_listener *lis = &s->unix_lis;
	struct stat st;

	loop_timer_stop(s->loop, &s->accept_again);
	/* Ours, and not one that somebody else has put there since. */
	if (lis->unix_bound && lstat(s->conf.unix_path, &st) == 0 && st.st_dev == lis->dev &&
	    st.st_ino == lis->ino)
		(void)unlink(s->conf.unix_path);
	lis->unix_bound = false;
	close_one(s, lis);
	close_one(s, &s->tcp_lis);
}

uint16_t nbd_server_port(const struct nbd_server *s)
{
	return s->conf.tcp_host[0] != '\0' ? s->conf.tcp_port : 0;
}

void nbd_server_uri(const struct nbd_server *s, char *buf, unsigned size)
{
	const struct nbd_conf *conf = &s->conf;
	bool v6 = strchr(conf->tcp_host, ':') != NULL;

	if (conf->unix_path[0] != '\0')
		snprintf(buf, size, "nbd+unix:///%s?socket=%s", conf->export_name, conf->unix_path);
	else if (conf->tcp_host[0] != '\0')
		snprintf(buf, size, "nbd://%s%s%s:%u/%s", v6 ? "[" : "", conf->tcp_host,
			 v6 ? "]" : "", conf->tcp_port, conf->export_name);
	else
		snprintf(buf, size, "%s", "");
}
