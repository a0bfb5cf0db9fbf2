/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_rig.h - a server over the rig, and a client that says exactly what it is
 * told, byte by byte if need be.  One thread: whenever the client waits, the
 * server's loop is pumped.
 */
#ifndef TESTS_UNIT_NBD_RIG_H
#define TESTS_UNIT_NBD_RIG_H

#include "export/nbd_proto.h"
#include "export/nbd_server.h"
#include "rig.h"

#include <sys/types.h>

extern struct rig rig;
extern struct nbd_server *srv;
/* Changed by a test before nr_start(). */
extern struct nbd_conf nr_conf;
extern bool nr_stopped;

void nr_start(const struct rig_conf *conf);
/* Stop the server; everything must have been given back. */
void nr_stop(void);

/* A connected client: nothing has been read or sent. */
int nr_connect(void);
/* What the next process gets of @fd; the old server keeps a descriptor that leads nowhere, as that of a process
 * that is gone. */
int nr_take_away(int fd);
void nr_close(int fd);
/* All of it, or the test fails. */
void nr_send(int fd, const void *data, size_t len);
void nr_recv(int fd, void *data, size_t len);
/* What the socket takes now. */
ssize_t nr_try_send(int fd, const void *data, size_t len);
/* What is there now. */
ssize_t nr_try_recv(int fd, void *data, size_t len);
/* The server has closed the connection; what it had said before is thrown away. */
void nr_expect_eof(int fd);
/* Nothing to read, and the connection is open. */
void nr_expect_quiet(int fd);

/* --- handshake --- */

enum { NR_STRUCTURED = 1, NR_META = 2, NR_BLOCKS = 4, NR_NO_GO = 8 };

/* Greeting and flags (fixed newstyle, no zeroes). */
void nr_greet(int fd);
void nr_option_head(int fd, uint32_t opt, uint32_t len);
void nr_option(int fd, uint32_t opt, const void *data, uint32_t len);
/* The reply to @opt of @type; its data into @data (at most @max), length returned. */
uint32_t nr_option_reply(int fd, uint32_t opt, uint32_t type, void *data, uint32_t max);
void nr_expect_ack(int fd, uint32_t opt);
void nr_expect_error(int fd, uint32_t opt, uint32_t type);
/* Into transmission. Returns the transmission flags. */
uint16_t nr_go(int fd, unsigned what);
/* INFO or GO for @name with @n info types; returns bytes. */
uint32_t nr_info_data(uint8_t *buf, const char *name, unsigned n, const uint16_t *types);
uint32_t nr_meta_data(uint8_t *buf, const char *name, unsigned n, const char *const *queries);

/* --- transmission --- */

void nr_request_bytes(uint8_t buf[28], uint16_t flags, uint16_t type, uint64_t cookie,
		      uint64_t offset, uint32_t length);
void nr_request(int fd, uint16_t flags, uint16_t type, uint64_t cookie, uint64_t offset,
		uint32_t length);
/* A write of what rig_pattern() says for @seed. */
void nr_write_pattern(int fd, uint16_t flags, uint64_t cookie, uint64_t offset, uint32_t len, unsigned seed);
void nr_expect_simple(int fd, uint64_t cookie, uint32_t error);
/* A chunk with the DONE flag; its length is returned, its data not yet read. */
uint32_t nr_expect_chunk(int fd, uint64_t cookie, uint16_t type);
/* An error chunk, text and all. */
void nr_expect_chunk_error(int fd, uint64_t cookie, uint32_t error);
/* One client's info; false if there is none. */
bool nr_info(struct nbd_client_info *ret);

#endif
