/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handover.c - see handover.h.
 *
 *   16 bytes  "lunmux handover\n"
 *    4        format, big-endian
 *    4        length of the JSON
 *    8        length of the whole
 *   JSON      one object; of bytes it has place and length in what follows
 *   bytes
 */
#include "config.h"

#include "daemon/handover.h"

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/units.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_BYTES 32u
#define JSON_MAX (4u * MIB)
#define CONNS_MAX (NBD_CONNS_MAX + 1u) /* and the kernel's */
#define FD_FIRST 3

static const char magic[16] = "lunmux handover\n";

/* --- numbers by name ---------------------------------------------------------------------- */

enum kind { K_BOOL, K_INT, K_U16, K_U32, K_U64, K_TEXT };

struct field {
	const char *name;
	enum kind kind;
	size_t off;
	size_t size; /* K_TEXT */
};

#define CONN(member, k) { #member, k, offsetof(struct nbd_conn_state, member), 0 }
#define DEBT(member) { "debt_" #member, K_BOOL, offsetof(struct nbd_conn_state, debt.member), 0 }
static const struct field conn_fields[] = {
	CONN(fd, K_INT),
	{ "peer", K_TEXT, offsetof(struct nbd_conn_state, peer), sizeof(((struct nbd_conn_state *)0)->peer) },
	CONN(kernel, K_BOOL), CONN(joined, K_BOOL), CONN(fixed, K_BOOL), CONN(no_zeroes, K_BOOL),
	CONN(structured, K_BOOL), CONN(knows_blocks, K_BOOL), CONN(meta, K_BOOL), CONN(meta_for, K_INT),
	CONN(options, K_U32), CONN(opt, K_U32), CONN(opt_len, K_U32), CONN(skip_left, K_U64),
	CONN(err, K_INT), CONN(tx_flags, K_U16), CONN(bye, K_BOOL), CONN(advised, K_BOOL),
	DEBT(owed), DEBT(own), DEBT(unflushed), DEBT(reported), CONN(untold, K_BOOL),
	CONN(age_ns, K_U64), CONN(requests, K_U64), CONN(errors, K_U64), CONN(bytes_read, K_U64),
	CONN(bytes_written, K_U64), CONN(unaligned, K_U64),
};

#define HAND(member, k) { #member, k, offsetof(struct handover, member), 0 }
#define HAND_TEXT(member) \
	{ #member, K_TEXT, offsetof(struct handover, member), sizeof(((struct handover *)0)->member) }
static const struct field hand_fields[] = {
	HAND_TEXT(name), HAND_TEXT(wwid), HAND_TEXT(version), HAND(upgrades, K_U64), HAND(frozen_ns, K_U64),
	HAND(lock_fd, K_INT), HAND(ctl_fd, K_INT), HAND(unix_fd, K_INT), HAND(tcp_fd, K_INT),
	HAND(size_bytes, K_U64), HAND(block_bytes, K_U32), HAND(device, K_INT), HAND_TEXT(backend),
	HAND(device_bytes, K_U64), HAND(takeovers, K_U32),
};

static json_t *field_json(const struct field *f, const void *base)
{
	const void *at = (const char *)base + f->off;

	switch (f->kind) {
	case K_BOOL:
		return json_boolean(*(const bool *)at);
	case K_INT:
		return json_integer(*(const int *)at);
	case K_U16:
		return json_integer(*(const uint16_t *)at);
	case K_U32:
		return json_integer(*(const uint32_t *)at);
	case K_U64:
		return json_integer((json_int_t)*(const uint64_t *)at);
	case K_TEXT:
		return json_string(at);
	}
	return NULL;
}

static bool fields_put(json_t *o, const struct field *f, size_t n, const void *base)
{
	for (size_t i = 0; i < n; i++)
		if (json_object_set_new(o, f[i].name, field_json(&f[i], base)) < 0)
			return false;
	return true;
}

static bool field_get(const struct field *f, const json_t *v, void *base)
{
	void *at = (char *)base + f->off;
	json_int_t n = json_integer_value(v);

	if (f->kind == K_BOOL) {
		*(bool *)at = json_is_true(v);
		return json_is_boolean(v);
	}
	if (f->kind == K_TEXT) {
		if (!json_is_string(v) || json_string_length(v) >= f->size)
			return false;
		memcpy(at, json_string_value(v), json_string_length(v) + 1);
		return true;
	}
	if (!json_is_integer(v))
		return false;
	switch (f->kind) {
	case K_INT:
		*(int *)at = (int)n;
		return n >= -1 && n <= INT_MAX;
	case K_U16:
		*(uint16_t *)at = (uint16_t)n;
		return n >= 0 && n <= UINT16_MAX;
	case K_U32:
		*(uint32_t *)at = (uint32_t)n;
		return n >= 0 && n <= UINT32_MAX;
	default:
		*(uint64_t *)at = (uint64_t)n;
		return n >= 0;
	}
}

static const char *fields_take(const json_t *o, const struct field *f, size_t n, void *base)
{
	for (size_t i = 0; i < n; i++)
		if (!field_get(&f[i], json_object_get(o, f[i].name), base))
			return f[i].name;
	return NULL;
}

/* --- writing -------------------------------------------------------------------------------- */

static json_t *bytes_json(uint64_t *at, size_t len)
{
	json_t *v = json_pack("[I, I]", (json_int_t)*at, (json_int_t)len);

	*at += len;
	return v;
}

static json_t *conn_json(const struct nbd_conn_state *st, uint64_t *at)
{
	json_t *o = json_object();

	if (o && fields_put(o, conn_fields, ARRAY_SIZE(conn_fields), st) &&
	    json_object_set_new(o, "state", json_string(st->state)) == 0 &&
	    json_object_set_new(o, "in", bytes_json(at, st->in_len)) == 0 &&
	    json_object_set_new(o, "out", bytes_json(at, st->out_len)) == 0)
		return o;
	json_decref(o);
	return NULL;
}

static char *handover_json(const struct handover *h, uint64_t *ret_bytes)
{
	json_t *o = json_object(), *conns = json_array(), *disabled = json_array();
	bool ok = o && conns && disabled && fields_put(o, hand_fields, ARRAY_SIZE(hand_fields), h);
	char *text;

	*ret_bytes = 0;
	for (size_t i = 0; ok && i < h->nconns; i++)
		ok = json_array_append_new(conns, conn_json(&h->conns[i], ret_bytes)) == 0;
	/* A name that is not UTF-8 has no place in JSON: that path would be used again. */
	for (size_t i = 0; ok && i < h->ndisabled; i++)
		(void)json_array_append_new(disabled, json_string(h->disabled[i]));
	ok = ok && json_object_set_new(o, "pid", json_integer(getpid())) == 0 &&
	     json_object_set(o, "conns", conns) == 0 && json_object_set(o, "disabled", disabled) == 0;
	text = ok ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(conns);
	json_decref(disabled);
	json_decref(o);
	return text;
}

static bool write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

int handover_write(const struct handover *h)
{
	_cleanup_close_ int fd = memfd_create("lunmux-handover", MFD_CLOEXEC);
	uint64_t nbytes;
	_cleanup_free_ char *text = handover_json(h, &nbytes);
	uint8_t head[HEAD_BYTES];
	size_t len;
	bool ok;

	if (fd < 0)
		return -errno;
	if (!text)
		return -ENOMEM;
	len = strlen(text);
	if (len > JSON_MAX)
		return -E2BIG;
	memcpy(head, magic, sizeof(magic));
	put_be32(head + 16, HANDOVER_FORMAT);
	put_be32(head + 20, (uint32_t)len);
	put_be64(head + 24, HEAD_BYTES + len + nbytes);
	ok = write_all(fd, head, sizeof(head)) && write_all(fd, text, len);
	for (size_t i = 0; ok && i < h->nconns; i++)
		ok = write_all(fd, h->conns[i].in, h->conns[i].in_len) &&
		     write_all(fd, h->conns[i].out, h->conns[i].out_len);
	return ok ? take_fd(&fd) : -errno;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct reader {
	const uint8_t *bytes;
	uint64_t nbytes;
	char *err;
	size_t err_size;
	int fds[CONNS_MAX + 4]; /* met so far */
	size_t nfds;
};

static int bad(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int bad(struct reader *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->err, r->err_size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int take_number(struct reader *r, int fd)
{
	struct stat st;

	if (fd < FD_FIRST || fstat(fd, &st) < 0)
		return bad(r, "descriptor %d is not there", fd);
	for (size_t i = 0; i < r->nfds; i++)
		if (r->fds[i] == fd)
			return bad(r, "descriptor %d is there twice", fd);
	if (r->nfds == ARRAY_SIZE(r->fds))
		return bad(r, "more descriptors than there can be");
	r->fds[r->nfds++] = fd;
	return 0;
}

static int take_bytes(struct reader *r, const json_t *v, uint8_t **ret, size_t *ret_len)
{
	json_int_t at = json_integer_value(json_array_get(v, 0)), len = json_integer_value(json_array_get(v, 1));

	if (json_array_size(v) != 2 || at < 0 || len < 0 || (uint64_t)len > r->nbytes ||
	    (uint64_t)at > r->nbytes - (uint64_t)len)
		return bad(r, "bytes that are not there");
	if (len == 0)
		return 0;
	*ret = malloc((size_t)len);
	if (!*ret)
		return -ENOMEM;
	memcpy(*ret, r->bytes + at, (size_t)len);
	*ret_len = (size_t)len;
	return 0;
}

static int take_conn(struct reader *r, const json_t *o, struct nbd_conn_state *st)
{
	const char *missing = fields_take(o, conn_fields, ARRAY_SIZE(conn_fields), st);
	struct stat sb;
	int e;

	st->state = json_string_value(json_object_get(o, "state"));
	if (missing || !st->state)
		return bad(r, "a connection without a good \"%s\"", missing ? missing : "state");
	e = take_number(r, st->fd);
	if (e == 0 && (fstat(st->fd, &sb) < 0 || !S_ISSOCK(sb.st_mode)))
		e = bad(r, "descriptor %d is no socket", st->fd);
	if (e == 0)
		e = take_bytes(r, json_object_get(o, "in"), &st->in, &st->in_len);
	if (e == 0)
		e = take_bytes(r, json_object_get(o, "out"), &st->out, &st->out_len);
	return e;
}

static int take_conns(struct reader *r, struct handover *h)
{
	const json_t *conns = json_object_get(h->root, "conns");
	size_t n = json_array_size(conns), kernels = 0;
	int e = 0;

	if (!json_is_array(conns) || n > CONNS_MAX)
		return bad(r, "no list of connections");
	h->conns = calloc(n + 1, sizeof(*h->conns));
	if (!h->conns)
		return -ENOMEM;
	for (; e == 0 && h->nconns < n; h->nconns++) {
		e = take_conn(r, json_array_get(conns, h->nconns), &h->conns[h->nconns]);
		kernels += h->conns[h->nconns].kernel;
	}
	if (e == 0 && kernels != (h->device >= 0))
		e = bad(r, "%zu connections of the kernel, and %s device", kernels, h->device < 0 ? "no" : "a");
	return e;
}

static int take_disabled(struct reader *r, struct handover *h)
{
	const json_t *list = json_object_get(h->root, "disabled");
	size_t n = json_array_size(list);

	if (!json_is_array(list) || n > PATHS_MAX)
		return bad(r, "no list of paths");
	h->disabled = calloc(n + 1, sizeof(*h->disabled));
	if (!h->disabled)
		return -ENOMEM;
	for (; h->ndisabled < n; h->ndisabled++) {
		h->disabled[h->ndisabled] = json_string_value(json_array_get(list, h->ndisabled));
		if (!h->disabled[h->ndisabled])
			return bad(r, "a path without a name");
	}
	return 0;
}

static int take_all(struct reader *r, struct handover *h)
{
	const char *missing = fields_take(h->root, hand_fields, ARRAY_SIZE(hand_fields), h);
	const int *const optional[] = { &h->ctl_fd, &h->unix_fd, &h->tcp_fd };
	int e;

	if (missing)
		return bad(r, "no good \"%s\"", missing);
	if (json_integer_value(json_object_get(h->root, "pid")) != getpid())
		return bad(r, "it is for another process");
	e = take_number(r, h->lock_fd);
	for (size_t i = 0; e == 0 && i < ARRAY_SIZE(optional); i++)
		if (*optional[i] >= 0)
			e = take_number(r, *optional[i]);
	if (e == 0)
		e = take_conns(r, h);
	return e == 0 ? take_disabled(r, h) : e;
}

static int read_map(const uint8_t *map, uint64_t size, struct handover *h, struct reader *r)
{
	uint32_t json_len;
	json_error_t je;

	if (size < HEAD_BYTES || memcmp(map, magic, sizeof(magic)) != 0)
		return bad(r, "it is none");
	if (get_be32(map + 16) != HANDOVER_FORMAT)
		return bad(r, "it has format %u, this lunmuxd knows %u", get_be32(map + 16), HANDOVER_FORMAT);
	json_len = get_be32(map + 20);
	if (get_be64(map + 24) != size || json_len > JSON_MAX || json_len > size - HEAD_BYTES)
		return bad(r, "it is cut off, or longer than it says");
	r->bytes = map + HEAD_BYTES + json_len;
	r->nbytes = size - HEAD_BYTES - json_len;
	h->root = json_loadb((const char *)map + HEAD_BYTES, json_len, 0, &je);
	if (!json_is_object(h->root))
		return bad(r, "%s", h->root ? "no object" : je.text);
	return take_all(r, h);
}

int handover_read(int fd, struct handover *ret, char *err, size_t size)
{
	struct reader r = { .err = err, .err_size = size };
	struct stat st;
	uint8_t *map;
	int e;

	handover_init(ret);
	if (size)
		err[0] = '\0';
	if (fd < FD_FIRST || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
		return bad(&r, "descriptor %d is no such file", fd);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return bad(&r, "descriptor %d: %s", fd, strerror(errno));
	e = read_map(map, (uint64_t)st.st_size, ret, &r);
	munmap(map, (size_t)st.st_size);
	if (e == -ENOMEM)
		snprintf(err, size, "out of memory");
	if (e < 0)
		handover_clear(ret);
	return e;
}

/* --- both ---------------------------------------------------------------------------------------- */

void handover_init(struct handover *h)
{
	memset(h, 0, sizeof(*h));
	h->lock_fd = h->ctl_fd = h->unix_fd = h->tcp_fd = h->device = -1;
}

void handover_clear(struct handover *h)
{
	for (size_t i = 0; i < h->nconns; i++) {
		free(h->conns[i].in);
		free(h->conns[i].out);
	}
	free(h->conns);
	free(h->disabled);
	json_decref(h->root);
	handover_init(h);
}

void handover_each_fd(const struct handover *h, void (*fn)(void *arg, int fd), void *arg)
{
	const int own[] = { h->lock_fd, h->ctl_fd, h->unix_fd, h->tcp_fd };

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (own[i] >= 0)
			fn(arg, own[i]);
	for (size_t i = 0; i < h->nconns; i++)
		fn(arg, h->conns[i].fd);
}

static int by_value(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

struct fd_list {
	int fd[CONNS_MAX + 4];
	unsigned n;
};

static void list_fd(void *arg, int fd)
{
	struct fd_list *l = arg;

	if (l->n < ARRAY_SIZE(l->fd))
		l->fd[l->n++] = fd;
}

void handover_close_others(const struct handover *h)
{
	unsigned from = FD_FIRST;
	struct fd_list keep = { .n = 0 };

	if (h)
		handover_each_fd(h, list_fd, &keep);
	qsort(keep.fd, keep.n, sizeof(keep.fd[0]), by_value);
	for (unsigned i = 0; i < keep.n; i++) {
		if ((unsigned)keep.fd[i] > from)
			close_range(from, (unsigned)keep.fd[i] - 1, 0);
		from = (unsigned)keep.fd[i] + 1;
	}
	close_range(from, ~0u, 0);
}
