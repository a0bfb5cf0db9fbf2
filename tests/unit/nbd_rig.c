/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nbd_rig.c - see nbd_rig.h. */
#include <config.h>

#include "nbd_rig.h"

#include "base/bytes.h"
#include "base/units.h"
#include "unit.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

struct rig rig;
struct nbd_server *srv;
struct nbd_conf nr_conf;
bool nr_stopped;

static void stopped(void *arg)
{
	nr_stopped = true;
}

void nr_start(const struct rig_conf *conf)
{
	rig_start(&rig, conf);
	if (!nr_conf.max_conns)
		nbd_conf_default(&nr_conf);
	if (!nr_conf.export_name[0])
		strcpy(nr_conf.export_name, "db01");
	strcpy(nr_conf.description, "a disk in memory");
	nr_conf.stopped = stopped;
	nr_stopped = false;
	ck_assert_int_eq(nbd_server_new(rig.loop, rig.lun, &nr_conf, &srv), 0);
	rig_pump(&rig);
}

void nr_stop(void)
{
	struct nbd_server_stats st;
	struct lun_stats ls;

	nbd_server_stop(srv);
	rig_release(&rig);
	/* A client that takes nothing is cut after the patience of two windows. */
	for (unsigned i = 0; i < 3 && !nbd_server_stopped(srv); i++)
		rig_advance(&rig, nr_conf.stall_ns);
	ck_assert(nbd_server_stopped(srv));
	ck_assert(nr_stopped);
	nbd_server_get_stats(srv, &st);
	ck_assert_uint_eq(st.clients, 0);
	ck_assert_uint_eq(st.orphans, 0);
	nbd_server_free(srv);
	lun_get_stats(rig.lun, &ls);
	ck_assert_uint_eq(ls.reqs_out, 0);
	ck_assert_uint_eq(ls.buf_bytes, 0);
	rig_stop(&rig);
	memset(&nr_conf, 0, sizeof(nr_conf));
}

int nr_take_away(int fd)
{
	int copy = dup(fd), dead[2];

	ck_assert_int_ge(copy, 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, dead), 0);
	ck_assert_int_eq(dup2(dead[0], fd), fd);
	close(dead[0]);
	close(dead[1]);
	return copy;
}

int nr_connect(void)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	ck_assert_int_eq(nbd_server_add(srv, fds[1]), 0);
	rig_pump(&rig);
	return fds[0];
}

void nr_close(int fd)
{
	close(fd);
	rig_pump(&rig);
}

ssize_t nr_try_send(int fd, const void *data, size_t len)
{
	ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	rig_pump(&rig);
	return n;
}

void nr_send(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;
	unsigned stuck = 0;

	while (len > 0) {
		ssize_t n = nr_try_send(fd, p, len);

		if (n < 0) {
			ck_assert_int_eq(errno, EAGAIN);
			ck_assert_msg(stuck++ < 3, "the server does not read");
			continue;
		}
		stuck = 0;
		p += n;
		len -= (size_t)n;
	}
	rig_pump(&rig);
}

ssize_t nr_try_recv(int fd, void *data, size_t len)
{
	rig_pump(&rig);
	return recv(fd, data, len, MSG_DONTWAIT);
}

void nr_recv(int fd, void *data, size_t len)
{
	uint8_t *p = data;

	while (len > 0) {
		ssize_t n = nr_try_recv(fd, p, len);

		ck_assert_msg(n > 0, "%zu bytes are missing: %s", len,
			      n == 0 ? "the server has closed" : strerror(errno));
		p += n;
		len -= (size_t)n;
	}
}

void nr_expect_eof(int fd)
{
	uint8_t buf[4096];
	ssize_t n;

	while ((n = nr_try_recv(fd, buf, sizeof(buf))) > 0)
		;
	ck_assert_msg(n == 0 || errno == ECONNRESET, "still open: %s", strerror(errno));
	close(fd);
}

void nr_expect_quiet(int fd)
{
	uint8_t b;
	ssize_t n = nr_try_recv(fd, &b, 1);

	ck_assert_msg(n < 0 && errno == EAGAIN, "recv says %zd", n);
}

/* --- handshake ----------------------------------------------------------------------------- */

void nr_greet(int fd)
{
	uint8_t g[18], flags[4] = { 0, 0, 0, 3 };

	nr_recv(fd, g, sizeof(g));
	ck_assert_int_eq(memcmp(g, "NBDMAGICIHAVEOPT\0\3", 18), 0);
	nr_send(fd, flags, sizeof(flags));
}

void nr_option_head(int fd, uint32_t opt, uint32_t len)
{
	uint8_t h[16];

	memcpy(h, "IHAVEOPT", 8);
	put_be32(h + 8, opt);
	put_be32(h + 12, len);
	nr_send(fd, h, sizeof(h));
}

void nr_option(int fd, uint32_t opt, const void *data, uint32_t len)
{
	nr_option_head(fd, opt, len);
	nr_send(fd, data, len);
}

uint32_t nr_option_reply(int fd, uint32_t opt, uint32_t type, void *data, uint32_t max)
{
	uint8_t h[20];
	uint32_t len;

	nr_recv(fd, h, sizeof(h));
	ck_assert(get_be64(h) == 0x3e889045565a9ull);
	ck_assert_uint_eq(get_be32(h + 8), opt);
	ck_assert_msg(get_be32(h + 12) == type, "option %u: reply %x, not %x", opt,
		      get_be32(h + 12), type);
	len = get_be32(h + 16);
	ck_assert_uint_le(len, max);
	nr_recv(fd, data, len);
	return len;
}

void nr_expect_ack(int fd, uint32_t opt)
{
	ck_assert_uint_eq(nr_option_reply(fd, opt, 1, NULL, 0), 0);
}

void nr_expect_error(int fd, uint32_t opt, uint32_t type)
{
	uint8_t text[4096];
	uint32_t len = nr_option_reply(fd, opt, type, text, sizeof(text));

	ck_assert_uint_gt(len, 0);
	ck_assert_ptr_null(memchr(text, '\0', len));
}

uint32_t nr_info_data(uint8_t *buf, const char *name, unsigned n, const uint16_t *types)
{
	uint32_t len = (uint32_t)strlen(name);

	put_be32(buf, len);
	memcpy(buf + 4, name, len);
	put_be16(buf + 4 + len, (uint16_t)n);
	for (unsigned i = 0; i < n; i++)
		put_be16(buf + 6 + len + 2 * i, types[i]);
	return 6 + len + 2 * n;
}

uint32_t nr_meta_data(uint8_t *buf, const char *name, unsigned n, const char *const *queries)
{
	uint32_t len = (uint32_t)strlen(name), at = 4 + len;

	put_be32(buf, len);
	memcpy(buf + 4, name, len);
	put_be32(buf + at, n);
	at += 4;
	for (unsigned i = 0; i < n; i++) {
		len = (uint32_t)strlen(queries[i]);
		put_be32(buf + at, len);
		memcpy(buf + at + 4, queries[i], len);
		at += 4 + len;
	}
	return at;
}

static void select_meta(int fd)
{
	static const char *const query[] = { "base:allocation" };
	uint8_t data[256], reply[64];

	nr_option(fd, NBD_OPT_SET_META_CONTEXT, data, nr_meta_data(data, "db01", 1, query));
	ck_assert_uint_eq(nr_option_reply(fd, NBD_OPT_SET_META_CONTEXT, 4, reply, sizeof(reply)), 19);
	ck_assert_uint_eq(get_be32(reply), 1);
	ck_assert_int_eq(memcmp(reply + 4, "base:allocation", 15), 0);
	nr_expect_ack(fd, NBD_OPT_SET_META_CONTEXT);
}

uint16_t nr_go(int fd, unsigned what)
{
	static const uint16_t block_size = NBD_INFO_BLOCK_SIZE;
	uint8_t data[128], reply[64];
	uint16_t flags;

	nr_greet(fd);
	if (what & (NR_STRUCTURED | NR_META)) {
		nr_option(fd, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
		nr_expect_ack(fd, NBD_OPT_STRUCTURED_REPLY);
	}
	if (what & NR_META)
		select_meta(fd);
	if (what & NR_NO_GO)
		return 0;
	nr_option(fd, NBD_OPT_GO, data,
		  nr_info_data(data, "db01", what & NR_BLOCKS ? 1 : 0, &block_size));
	ck_assert_uint_eq(nr_option_reply(fd, NBD_OPT_GO, 3, reply, sizeof(reply)), 12);
	ck_assert_uint_eq(get_be16(reply), 0);
	ck_assert_uint_eq(get_be64(reply + 2), rig.disk_bytes);
	flags = get_be16(reply + 10);
	if (what & NR_BLOCKS)
		ck_assert_uint_eq(nr_option_reply(fd, NBD_OPT_GO, 3, reply, sizeof(reply)), 14);
	nr_expect_ack(fd, NBD_OPT_GO);
	nr_expect_quiet(fd);
	return flags;
}

/* --- transmission ----------------------------------------------------------------------------- */

void nr_request_bytes(uint8_t buf[28], uint16_t flags, uint16_t type, uint64_t cookie,
		      uint64_t offset, uint32_t length)
{
	put_be32(buf, 0x25609513);
	put_be16(buf + 4, flags);
	put_be16(buf + 6, type);
	put_be64(buf + 8, cookie);
	put_be64(buf + 16, offset);
	put_be32(buf + 24, length);
}

void nr_request(int fd, uint16_t flags, uint16_t type, uint64_t cookie, uint64_t offset,
		uint32_t length)
{
	uint8_t buf[28];

	nr_request_bytes(buf, flags, type, cookie, offset, length);
	nr_send(fd, buf, sizeof(buf));
}

void nr_write_pattern(int fd, uint16_t flags, uint64_t cookie, uint64_t offset, uint32_t len, unsigned seed)
{
	uint8_t *data = malloc(len + 1);

	rig_pattern(data, offset, len, seed);
	nr_request(fd, flags, NBD_WRITE, cookie, offset, len);
	nr_send(fd, data, len);
	free(data);
}

void nr_expect_simple(int fd, uint64_t cookie, uint32_t error)
{
	uint8_t h[16];

	nr_recv(fd, h, sizeof(h));
	ck_assert_uint_eq(get_be32(h), 0x67446698);
	ck_assert_uint_eq(get_be64(h + 8), cookie);
	ck_assert_uint_eq(get_be32(h + 4), error);
}

uint32_t nr_expect_chunk(int fd, uint64_t cookie, uint16_t type)
{
	uint8_t h[20];

	nr_recv(fd, h, sizeof(h));
	ck_assert_uint_eq(get_be32(h), 0x668e33ef);
	ck_assert_uint_eq(get_be16(h + 4), 1);
	ck_assert_uint_eq(get_be16(h + 6), type);
	ck_assert_uint_eq(get_be64(h + 8), cookie);
	return get_be32(h + 16);
}

void nr_expect_chunk_error(int fd, uint64_t cookie, uint32_t error)
{
	uint32_t len = nr_expect_chunk(fd, cookie, 0x8001);
	uint8_t data[4096];

	ck_assert(len > 6 && len <= sizeof(data));
	nr_recv(fd, data, len);
	ck_assert_uint_eq(get_be32(data), error);
	ck_assert_uint_eq(get_be16(data + 4), len - 6);
}

bool nr_info(struct nbd_client_info *ret)
{
	uint64_t cursor = 0;

	return nbd_server_next_client(srv, &cursor, ret);
}
