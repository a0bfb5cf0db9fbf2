/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbdnull.c - the limit: an NBD server that stores nothing.
 *
 * Reads give zeroes, writes are thrown away.  One receive takes many requests,
 * one send carries many replies; nothing else happens.  What it reaches on a
 * machine, no server that does something can.  EXPORT_NAME only, any name.
 *
 *   nbdnull SOCKET BYTES
 */
#include "base/bytes.h"
#include "base/units.h"
#include "export/nbd_proto.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNS_MAX 64u
#define RBUF_BYTES (256u * 1024u)
#define ZERO_BYTES (32u << 20)
#define REPLIES_MAX 256u

struct conn {
	int fd;
	uint8_t *rbuf;
	size_t got, skip; /* bytes in rbuf; of a payload still to come */
	struct nbd_simple_reply reply[REPLIES_MAX];
	struct iovec iov[2 * REPLIES_MAX];
	unsigned nreplies, niov;
};

static struct conn conns[CONNS_MAX];
static unsigned nconns;
static uint8_t *zeroes;
static uint64_t size;

static bool read_all(int fd, void *buf, size_t len)
{
	return recv(fd, buf, len, MSG_WAITALL) == (ssize_t)len;
}

static bool handshake(int fd)
{
	struct nbd_greeting g;
	struct nbd_option o;
	struct nbd_export_reply e = { 0 };
	uint8_t flags[4], name[4096];

	put_be64(&g.magic, NBD_MAGIC);
	put_be64(&g.opt_magic, NBD_OPT_MAGIC);
	put_be16(&g.flags, NBD_F_FIXED_NEWSTYLE | NBD_F_NO_ZEROES);
	if (send(fd, &g, sizeof(g), MSG_NOSIGNAL) != sizeof(g) ||
	    !read_all(fd, flags, sizeof(flags)) || !read_all(fd, &o, sizeof(o)) ||
	    get_be32(&o.opt) != NBD_OPT_EXPORT_NAME || get_be32(&o.len) > sizeof(name) ||
	    (get_be32(&o.len) && !read_all(fd, name, get_be32(&o.len))))
		return false;
	put_be64(&e.size, size);
	put_be16(&e.flags, NBD_FLAG_HAS_FLAGS | NBD_FLAG_CAN_MULTI_CONN);
	return send(fd, &e, sizeof(e) - sizeof(e.zeroes), MSG_NOSIGNAL) > 0;
}

static void new_conn(int listener)
{
	int fd = accept(listener, NULL, NULL);
	struct conn *c = &conns[nconns];

	if (fd < 0)
		return;
	if (nconns == CONNS_MAX || !handshake(fd)) {
		close(fd);
		return;
	}
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->rbuf = malloc(RBUF_BYTES);
	if (!c->rbuf)
		exit(1);
	nconns++;
}

static bool send_replies(struct conn *c)
{
	struct iovec *v = c->iov;

	while (c->niov) {
		struct msghdr m = { .msg_iov = v, .msg_iovlen = c->niov };
		ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL);

		if (n < 0)
			return false;
		for (; c->niov && (size_t)n >= v->iov_len; v++, c->niov--)
			n -= (ssize_t)v->iov_len;
		if (c->niov) {
			v->iov_base = (uint8_t *)v->iov_base + n;
			v->iov_len -= (size_t)n;
		}
	}
	c->nreplies = 0;
	return true;
}

static bool answer(struct conn *c, const struct nbd_request_hdr *h)
{
	struct nbd_simple_reply *r;

	if (get_be32(&h->magic) != NBD_REQUEST_MAGIC || get_be16(&h->type) == NBD_DISC ||
	    get_be32(&h->length) > ZERO_BYTES)
		return false;
	if (c->nreplies == REPLIES_MAX && !send_replies(c))
		return false;
	r = &c->reply[c->nreplies++];
	put_be32(&r->magic, NBD_SIMPLE_REPLY_MAGIC);
	put_be32(&r->error, NBD_OK);
	memcpy(&r->cookie, &h->cookie, sizeof(r->cookie));
	c->iov[c->niov++] = (struct iovec){ r, sizeof(*r) };
	if (get_be16(&h->type) == NBD_READ)
		c->iov[c->niov++] = (struct iovec){ zeroes, get_be32(&h->length) };
	return true;
}

static bool serve(struct conn *c)
{
	ssize_t n = recv(c->fd, c->rbuf + c->got, RBUF_BYTES - c->got, MSG_DONTWAIT);
	size_t at = 0, k;

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	c->got += (size_t)n;
	while (c->got > at) {
		const struct nbd_request_hdr *h = (const void *)(c->rbuf + at);

		if (c->skip) {
			k = MIN(c->skip, c->got - at);
			c->skip -= k;
			at += k;
			continue;
		}
		if (c->got - at < sizeof(*h))
			break;
		if (!answer(c, h))
			return false;
		if (get_be16(&h->type) == NBD_WRITE)
			c->skip = get_be32(&h->length);
		at += sizeof(*h);
	}
	memmove(c->rbuf, c->rbuf + at, c->got - at);
	c->got -= at;
	return send_replies(c);
}

int main(int argc, char **argv)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct pollfd pf[CONNS_MAX + 1];
	int listener;

	if (argc != 3 || strlen(argv[1]) >= sizeof(sa.sun_path)) {
		fputs("usage: nbdnull SOCKET BYTES\n", stderr);
		return 1;
	}
	strcpy(sa.sun_path, argv[1]);
	size = strtoull(argv[2], NULL, 10);
	zeroes = calloc(1, ZERO_BYTES);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (!zeroes || bind(listener, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(listener, 16) < 0) {
		perror(argv[1]);
		return 1;
	}
	for (;;) {
		unsigned n = nconns;

		pf[0] = (struct pollfd){ listener, POLLIN, 0 };
		for (unsigned i = 0; i < n; i++)
			pf[i + 1] = (struct pollfd){ conns[i].fd, POLLIN, 0 };
		if (poll(pf, n + 1, -1) < 0)
			continue;
		for (unsigned i = n; i-- > 0;) {
			if (!pf[i + 1].revents || serve(&conns[i]))
				continue;
			close(conns[i].fd);
			free(conns[i].rbuf);
			conns[i] = conns[--nconns]; /* nothing is left unsent between turns */
		}
		if (pf[0].revents)
			new_conn(listener);
	}
}
