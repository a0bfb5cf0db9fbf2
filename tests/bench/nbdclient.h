/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbdclient.h - how the clients here open an export of a server on a Unix
 * socket: NBD_OPT_EXPORT_NAME and no more.
 */
#ifndef BENCH_NBDCLIENT_H
#define BENCH_NBDCLIENT_H

#include "base/bytes.h"
#include "export/nbd_proto.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

/* Says why on standard error, with the program's name, and ends the program. */
static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

static inline void read_all(int fd, void *buf, size_t len, const char *what)
{
	ssize_t n = recv(fd, buf, len, MSG_WAITALL);

	if (n != (ssize_t)len)
		die("%s: %s", what,
		    n < 0 ? strerror(errno) : "the server closed the connection");
}

/* Begins transmission on socket @fd; the size of the export in bytes. */
static inline uint64_t nbd_handshake(int fd, const char *export)
{
	struct nbd_greeting g;
	struct {
		uint8_t flags[4];
		struct nbd_option o;
		char name[256];
	} __attribute__((packed)) q;
	struct nbd_export_reply e;
	size_t len = strlen(export), answer = sizeof(e) - sizeof(e.zeroes);

	if (len >= sizeof(q.name))
		die("%s: too long for an export's name", export);
	read_all(fd, &g, sizeof(g), "greeting");
	if (get_be64(&g.magic) != NBD_MAGIC ||
	    get_be64(&g.opt_magic) != NBD_OPT_MAGIC ||
	    !(get_be16(&g.flags) & NBD_F_FIXED_NEWSTYLE))
		die("this is not a server of fixed newstyle NBD");
	if (!(get_be16(&g.flags) & NBD_F_NO_ZEROES))
		answer = sizeof(e);
	put_be32(q.flags,
		 get_be16(&g.flags) & (NBD_F_FIXED_NEWSTYLE | NBD_F_NO_ZEROES));
	put_be64(&q.o.magic, NBD_OPT_MAGIC);
	put_be32(&q.o.opt, NBD_OPT_EXPORT_NAME);
	put_be32(&q.o.len, (uint32_t)len);
	memcpy(q.name, export, len);
	len += sizeof(q) - sizeof(q.name);
	if (send(fd, &q, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("handshake: %s", strerror(errno));
	read_all(fd, &e, answer, "export");
	return get_be64(&e.size);
}

/* Connects to the socket @path; an answer may take @limit_s. */
static inline int nbd_connect(const char *path, time_t limit_s)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval tv = {.tv_sec = limit_s};
	int fd;

	if (strlen(path) >= sizeof(sa.sun_path))
		die("%s: too long for a socket's name", path);
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		die("%s: %s", path, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return fd;
}

#endif
