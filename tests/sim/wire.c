/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.c - see wire.h. */
#include "wire.h"

#include "world.h"

#include "base/units.h"
#include "export/nbd_int.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* No descriptor of this process: what is not wrapped fails with EBADF, as it may. */
#define FD_FIRST 1000000
#define WIRES_MAX 64u

/* One world at a time in a process: a descriptor has no room for a context. */
static struct wire *wires[WIRES_MAX];

struct wire *wire_of(int fd)
{
	return fd >= FD_FIRST && fd < FD_FIRST + (int)WIRES_MAX ? wires[fd - FD_FIRST] : NULL;
}

static void wire_free(struct wire *wire)
{
	loop_timer_stop(wire->w->loop, &wire->wake);
	wires[wire->fd - FD_FIRST] = NULL;
	free(wire->in);
	free(wire->out);
	free(wire);
}

static void wire_free_maybe(struct wire *wire)
{
	if (wire->client_left && wire->server_left)
		wire_free(wire);
}

/* --- what the server is told ------------------------------------------------------------ */

static int ready_for(const struct wire *wire)
{
	int events = 0;

	if (!wire->watch || wire->server_left)
		return 0;
	if (wire->in_seen > wire->in_off || wire->client_left)
		events |= LOOP_READ;
	if (wire->out_len - wire->out_off < wire->out_room || wire->client_left)
		events |= LOOP_WRITE;
	return events & wire->watch->events;
}

static void wire_wake(struct loop_timer *t)
{
	struct wire *wire = container_of(t, struct wire, wake);
	int events = ready_for(wire);

	if (events)
		wire->watch->fn(wire->watch, events);
}

void wires_poll(void)
{
	for (unsigned i = 0; i < WIRES_MAX; i++)
		if (wires[i])
			wire_wake(&wires[i]->wake);
}

void wires_watch(struct world *w)
{
	for (unsigned i = 0; i < WIRES_MAX; i++)
		if (wires[i] && !loop_timer_running(&wires[i]->wake) && ready_for(wires[i]))
			loop_timer_in(w->loop, &wires[i]->wake, NS_PER_US);
}

struct wire *wire_new(struct client *c, size_t out_room)
{
	struct wire *wire;
	unsigned i;

	for (i = 0; i < WIRES_MAX && wires[i]; i++)
		;
	if (i == WIRES_MAX)
		return NULL;
	wires[i] = wire = malloc(sizeof(*wire));
	assert(wire);
	*wire = (struct wire){ .w = c->w, .client = c, .prng = &c->nbd.prng, .fd = FD_FIRST + (int)i, .out_room = out_room };
	wire->out = malloc(out_room);
	assert(wire->out);
	loop_timer_init(&wire->wake, wire_wake);
	return wire;
}

/* --- the client's side ---------------------------------------------------------------------- */

void wire_write(struct wire *wire, const void *data, size_t len)
{
	if (wire->in_off == wire->in_len)
		wire->in_off = wire->in_seen = wire->in_len = 0;
	if (wire->in_len + len > wire->in_cap) {
		wire->in_cap = 2 * (wire->in_len + len);
		wire->in = realloc(wire->in, wire->in_cap);
		assert(wire->in);
	}
	memcpy(wire->in + wire->in_len, data, len);
	wire->in_len += len;
}

void wire_leave(struct wire *wire, bool reset)
{
	wire->client_left = true;
	wire->reset = reset;
	wire->in_len = wire->in_seen; /* the rest was not sent */
	wire_free_maybe(wire);
}

void wires_killed(void)
{
	for (unsigned i = 0; i < WIRES_MAX; i++) {
		struct wire *wire = wires[i];

		if (!wire)
			continue;
		wires[i] = NULL;
		free(wire->in);
		free(wire->out);
		free(wire);
	}
}

/* --- the server's system calls ----------------------------------------------------------------- */

static int fails(int error)
{
	errno = error;
	return -1;
}

static size_t iov_bytes(const struct msghdr *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->msg_iovlen; i++)
		n += m->msg_iov[i].iov_len;
	return n;
}

static size_t copy(const struct msghdr *m, uint8_t *flat, size_t len, bool in)
{
	size_t at = 0;

	for (size_t i = 0; i < m->msg_iovlen && at < len; i++) {
		size_t n = MIN(m->msg_iov[i].iov_len, len - at);

		if (in)
			memcpy(flat + at, m->msg_iov[i].iov_base, n);
		else
			memcpy(m->msg_iov[i].iov_base, flat + at, n);
		at += n;
	}
	return at;
}

/* What a call takes of what it could. */
static size_t part_of(struct wire *wire, size_t most)
{
	return most > 1 && draw_pct(wire->prng, 10) ? (size_t)draw(wire->prng, 1, most) : most;
}

ssize_t __real_recvmsg(int fd, struct msghdr *m, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags)
{
	struct wire *wire = wire_of(fd);
	size_t n;

	if (!wire)
		return __real_recvmsg(fd, m, flags);
	if (wire->reset)
		return fails(ECONNRESET);
	if (draw_pct(wire->prng, 1))
		return fails(EINTR);
	n = MIN(wire->in_seen - wire->in_off, iov_bytes(m));
	if (!n)
		return wire->client_left ? 0 : fails(EAGAIN);
	n = copy(m, wire->in + wire->in_off, part_of(wire, n), false);
	wire->in_off += n;
	return (ssize_t)n;
}

ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct wire *wire = wire_of(fd);
	size_t n;

	if (!wire)
		return __real_sendmsg(fd, m, flags);
	if (wire->client_left)
		return fails(wire->reset ? ECONNRESET : EPIPE);
	if (draw_pct(wire->prng, 1))
		return fails(EINTR);
	if (wire->out_off) {
		memmove(wire->out, wire->out + wire->out_off, wire->out_len - wire->out_off);
		wire->out_len -= wire->out_off;
		wire->out_off = 0;
	}
	n = MIN(wire->out_room - wire->out_len, iov_bytes(m));
	/* Replies wait for this client: a good moment for it to go. */
	if (n < iov_bytes(m))
		nbd_client_is_full(wire->client);
	if (!n)
		return fails(EAGAIN);
	n = copy(m, wire->out + wire->out_len, part_of(wire, n), true);
	wire->out_len += n;
	nbd_client_wakes(wire->client);
	return (ssize_t)n;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	struct wire *wire = wire_of(fd);

	if (!wire)
		return __real_close(fd);
	wire->server_left = true;
	nbd_client_closed(wire);
	wire_free_maybe(wire);
	return 0;
}

/* Only whether the other side has gone is asked. */
int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	int found = 0;

	for (nfds_t i = 0; i < n; i++) {
		const struct wire *wire = wire_of(fds[i].fd);

		if (!wire)
			return __real_poll(fds, n, timeout);
		fds[i].revents = wire->client_left ? POLLRDHUP : 0;
		found += wire->client_left;
	}
	return found;
}

void __real_lun_client_join(struct lun *lun, struct lun_client *cl);
void __wrap_lun_client_join(struct lun *lun, struct lun_client *cl);
void __wrap_lun_client_join(struct lun *lun, struct lun_client *cl)
{
	__real_lun_client_join(lun, cl);
	for (unsigned i = 0; i < WIRES_MAX; i++) {
		struct wire *wire = wires[i];

		/* The kernel's is known to the LUN before we know of its connection. */
		if (wire && wire->fd == container_of(cl, struct nbd_conn, client)->fd.fd) {
			wire->joined = true;
			nbd_client_joined(wire);
		}
	}
}
