/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd_talk.h - what a client says and understands of the NBD protocol
 * (doc/proto.md in NetworkBlockDevice/nbd). Anything that is against it fails the run (O5).
 */
#ifndef SIM_NBD_TALK_H
#define SIM_NBD_TALK_H

#include <stddef.h>

struct client;

#define TALK_EXPORT "lun"

/* Takes @len bytes that have come. */
void talk_read(struct client *c, const void *data, size_t len);
/* Without a handshake. */
void talk_up(struct client *c);
void talk_bye(struct client *c);
void talk_rubbish(struct client *c);
/* Of nbd_client.c: to the server, some time. */
void nbd_client_write(struct client *c, const void *data, size_t len);

#endif
