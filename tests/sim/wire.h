/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire.h - the stream sockets between the NBD server and its clients, as the
 * server's system calls see them: recvmsg(), sendmsg() and close() of their
 * descriptors are answered here (by the linker's --wrap), and poll().
 *
 * What a client has written gets to the server in pieces of any size, at some
 * time; what the server sends fits into a buffer that may be small.  A call takes
 * less than it could at times, and is interrupted at others.
 */
#ifndef SIM_WIRE_H
#define SIM_WIRE_H

#include "base/prng.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct world;

struct wire {
	struct world *w;
	struct client *client; /* whose it is, for ever */
	struct prng *prng;     /* the client's */
	int fd;		       /* the server's */
	struct loop_fd *watch; /* the server's */
	struct loop_timer wake;
	bool client_left, reset; /* the client has closed it; without reading all */
	bool server_left;
	bool joined; /* the server has made its client known to the LUN */

	/* To the server: bytes in[in_off .. in_seen-1] have arrived, up to in_len are on their way. */
	uint8_t *in;
	size_t in_cap, in_off, in_seen, in_len;
	/* From it: out[out_off .. out_len-1] wait, at most out_room. */
	uint8_t *out;
	size_t out_room, out_off, out_len;
};

/* NULL: there are too many. Both ends must leave it before it goes. */
struct wire *wire_new(struct client *c, size_t out_room);
/* NULL: @fd is no wire. */
struct wire *wire_of(int fd);
/* The client's side. */
void wire_write(struct wire *wire, const void *data, size_t len);
/* @reset: what the server has not read is lost, and it hears of that. */
void wire_leave(struct wire *wire, bool reset);
/* After each step: tells the server what it watches for. */
void wires_watch(struct world *w);
/* What the server watches for, now. */
void wires_poll(void);
/* The server's process is killed. The clients are not told. */
void wires_killed(void);

#endif
